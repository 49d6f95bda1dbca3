/** `sealroot keys revoke DIR ITEM…`. */
import { SealrootError } from "../../errors/index.ts";
import type { RaisedGenerations } from "../../keys/index.ts";
import { buildTime } from "../shared/build-time.ts";
import { command, type OptionSpecification } from "../shared/command.ts";
import { KEY_OPTIONS, signerChoice } from "../shared/signing-options.ts";
import { changeLines } from "./changed-database.ts";

const OPTIONS = [
  ...KEY_OPTIONS,
  {
    flags: "--sbat",
    summary: "revoke what DIR has sealed so far, where shim is: raise the generation in sbat.csv, write SbatLevel.csv",
  },
] as const satisfies readonly OptionSpecification[];

export const keysRevoke = command({
  description: `Puts programs and certificates on the list of what firmware refuses (dbx), signed by the key exchange key: dbx.auth
with the whole list, dbx.append.auth with what is new, for machines whose list has entries of others. The list never gets
shorter. Images sealed with the directory afterwards enrol it.

ITEM is a certificate (PEM or DER: nothing that it signed starts), a PE file, or the SHA-256 Authenticode digest of one. The key is
DIR's KEK, or what --key names.

With --sbat no digest is listed: UKIs carry a generation of DIR's own component (sbat.csv), and SbatLevel.csv is the level by which
shim refuses older ones. Firmware without shim knows nothing of it. Lines of others in SbatLevel.csv stay: a level replaces the one
before, so put those of shim's own level there.`,
  arguments: [
    { name: "DIR", summary: "directory of keys" },
    { name: "ITEM", summary: "what to revoke: certificates, PE files, digests", optional: true, repeat: true },
  ],
  options: OPTIONS,
  examples: [
    "sealroot keys revoke keys old.efi",
    "sealroot keys revoke keys stolen.pem --key 'pkcs11:token=kek;object=KEK'",
    "sealroot keys revoke keys --sbat",
  ],
  reportsJson: true,
  async run(invocation) {
    const { openSigner, raiseGenerations, revoke } = await import("../../keys/index.ts");
    const { output } = invocation;
    const directory = invocation.argument("DIR");
    const items = invocation.arguments("ITEM");
    const isRaised = invocation.flag("sbat");
    if (isRaised === items.length > 0) throw oneKind(isRaised);
    if (isRaised) {
      const report = await raiseGenerations(directory, buildTime());
      if (invocation.json) output.json(report);
      else for (const line of raisedLines(report)) output.line(line);
      return;
    }
    const signer = () => openSigner(signerChoice(invocation, directory, "KEK"));
    const report = await revoke(directory, items, signer, buildTime());
    if (invocation.json) output.json(report);
    else for (const line of changeLines(report, "Revoked")) output.line(line);
  },
});

function oneKind(isRaised: boolean): SealrootError {
  return new SealrootError("usage", `Cannot revoke: ${isRaised ? "--sbat takes no ITEM" : "nothing is named"}`, {
    hint: "name certificates, PE files or digests for dbx, or give --sbat alone",
  });
}

function raisedLines({ directory, components, files }: RaisedGenerations): string[] {
  return [
    ...components.map(({ component, generation }) => `Revoked ${component} before generation ${generation}`),
    `${directory}: wrote ${files.join(", ")}`,
  ];
}
