/** `sealroot keys add DIR CERTIFICATE…`. */
import { buildTime } from "../shared/build-time.ts";
import { command } from "../shared/command.ts";
import { KEY_OPTIONS, signerChoice } from "../shared/signing-options.ts";
import { changeLines } from "./changed-database.ts";

export const keysAdd = command({
  description: `Lets machines start what others sign, too: certificates of a vendor whose option ROMs (graphics, network) must start, or of
another team. Writes db.auth and db.append.auth, signed by the key exchange key. Images sealed with the directory afterwards
enrol them.`,
  arguments: [
    { name: "DIR", summary: "directory of keys" },
    { name: "CERTIFICATE", summary: "PEM or DER files", repeat: true },
  ],
  options: KEY_OPTIONS,
  examples: ["sealroot keys add keys vendor.pem"],
  reportsJson: true,
  async run(invocation) {
    const { addCertificates, openSigner } = await import("../../keys/index.ts");
    const directory = invocation.argument("DIR");
    const signer = () => openSigner(signerChoice(invocation, directory, "KEK"));
    const report = await addCertificates(directory, invocation.arguments("CERTIFICATE"), signer, buildTime());
    if (invocation.json) invocation.output.json(report);
    else for (const line of changeLines(report, "Added")) invocation.output.line(line);
  },
});
