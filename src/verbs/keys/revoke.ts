/** `sealroot keys revoke DIR ITEM…`. */
import { buildTime } from "../shared/build-time.ts";
import { command } from "../shared/command.ts";
import { KEY_OPTIONS, signerChoice } from "../shared/signing-options.ts";
import { changeLines } from "./changed-database.ts";

export const keysRevoke = command({
  description: `Puts programs and certificates on the list of what firmware refuses (dbx), signed by the key exchange key: dbx.auth
with the whole list, dbx.append.auth with what is new, for machines whose list has entries of others. The list never gets
shorter. Images sealed with the directory afterwards enrol it.

ITEM is a certificate (PEM or DER: nothing that it signed starts), a PE file, or the SHA-256 Authenticode digest of one. The key is
DIR's KEK, or what --key names.`,
  arguments: [
    { name: "DIR", summary: "directory of keys" },
    { name: "ITEM", summary: "what to revoke: certificates, PE files, digests", repeat: true },
  ],
  options: KEY_OPTIONS,
  examples: [
    "sealroot keys revoke keys old.efi",
    "sealroot keys revoke keys stolen.pem --key 'pkcs11:token=kek;object=KEK'",
  ],
  reportsJson: true,
  async run(invocation) {
    const { openSigner, revoke } = await import("../../keys/index.ts");
    const directory = invocation.argument("DIR");
    const signer = () => openSigner(signerChoice(invocation, directory, "KEK"));
    const report = await revoke(directory, invocation.arguments("ITEM"), signer, buildTime());
    if (invocation.json) invocation.output.json(report);
    else for (const line of changeLines(report, "Revoked")) invocation.output.line(line);
  },
});
