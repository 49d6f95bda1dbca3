/** `sealroot keys rotate DIR`. */
import { buildTime } from "../shared/build-time.ts";
import { command, type OptionSpecification } from "../shared/command.ts";
import { KEY_OPTIONS, signerChoice } from "../shared/signing-options.ts";
import { parseCount } from "../shared/size.ts";

const parseDays = (text: string) => parseCount(text, "--days", 999_999);

const OPTIONS = [
  { flags: "--common-name <NAME>", summary: "beginning of the new certificate's name (default: the old one's)" },
  {
    flags: "--days <DAYS>",
    summary: "validity of the new certificate (default 3650)",
    check: (text) => void parseDays(text),
  },
  ...KEY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

export const keysRotate = command({
  description: `Makes a new image signing key (db) beside the old: db.auth then holds both certificates, signed by the key exchange key,
so machines that take it start old images and new ones. The old key's files stay under names of their own. Later, when all
machines run new images: sealroot keys remove DIR OLD.

The directory changes in one step.`,
  arguments: [{ name: "DIR", summary: "directory of keys" }],
  options: OPTIONS,
  examples: ["sealroot keys rotate keys"],
  reportsJson: true,
  async run(invocation) {
    const { openSigner, rotateKeys } = await import("../../keys/index.ts");
    const directory = invocation.argument("DIR");
    const days = invocation.option("days");
    const report = await rotateKeys(directory, () => openSigner(signerChoice(invocation, directory, "KEK")), {
      commonName: invocation.option("common-name"),
      days: days === undefined ? undefined : parseDays(days),
      now: buildTime(),
    });
    if (invocation.json) {
      invocation.output.json(report);
      return;
    }
    const { certificate, previous, previousFiles, entries } = report;
    invocation.output.line(`New: ${certificate.subject} (SHA-256 ${certificate.fingerprintSha256})`);
    invocation.output.line(
      `Old: ${previous.subject} (SHA-256 ${previous.fingerprintSha256}), now ${previousFiles.join(", ")}`,
    );
    invocation.output.line(`${directory}: db.auth holds ${entries.length} certificates`);
  },
});
