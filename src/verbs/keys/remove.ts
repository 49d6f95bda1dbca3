/** `sealroot keys remove DIR CERTIFICATE…`. */
import { buildTime } from "../shared/build-time.ts";
import { command } from "../shared/command.ts";
import { KEY_OPTIONS, signerChoice } from "../shared/signing-options.ts";
import { changeLines } from "./changed-database.ts";

export const keysRemove = command({
  description: `Ends a rotation: machines that take the new db.auth start no more what the removed certificate signed. What must not start
anywhere again, even where db has it otherwise, is revoked instead.`,
  arguments: [
    { name: "DIR", summary: "directory of keys" },
    { name: "CERTIFICATE", summary: "PEM or DER files, or SHA-256 fingerprints", repeat: true },
  ],
  options: KEY_OPTIONS,
  examples: ["sealroot keys remove keys keys/db-1f2e3d4c5b6a.pem"],
  reportsJson: true,
  async run(invocation) {
    const { openSigner, removeCertificates } = await import("../../keys/index.ts");
    const directory = invocation.argument("DIR");
    const signer = () => openSigner(signerChoice(invocation, directory, "KEK"));
    const report = await removeCertificates(directory, invocation.arguments("CERTIFICATE"), signer, buildTime());
    if (invocation.json) invocation.output.json(report);
    else for (const line of changeLines(report, "Removed")) invocation.output.line(line);
  },
});
