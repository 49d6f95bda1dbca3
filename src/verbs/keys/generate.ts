/** `sealroot keys generate DIR`. */
import { buildTime } from "../shared/build-time.ts";
import { command, type OptionSpecification } from "../shared/command.ts";
import { parseCount } from "../shared/size.ts";
import { textTable } from "../shared/table.ts";

const RSA_BITS = [2048, 3072, 4096] as const;

const parseDays = (text: string) => parseCount(text, "--days", 999_999);

const OPTIONS = [
  { flags: "--common-name <NAME>", summary: 'beginning of the certificates\' names (default "sealroot")' },
  { flags: "--rsa-bits <BITS>", summary: "size of the keys (default 2048)", choices: RSA_BITS.map(String) },
  {
    flags: "--days <DAYS>",
    summary: "validity of the certificates (default 3650)",
    check: (text) => void parseDays(text),
  },
  {
    flags: "--add-db <CERTIFICATE>",
    summary: "let machines start what this certificate signs, too (may be given again)",
    repeat: true,
  },
  { flags: "--pcr", summary: "also make a key for signed policies of PCR 11 (pcr.key, pcr.pub)" },
] as const satisfies readonly OptionSpecification[];

export const keysGenerate = command({
  description: `Makes a platform key (PK), a key exchange key (KEK) and an image signing key (db): private keys (.key, mode
0600), certificates (.pem, .der), signature lists (.esl), enrolment files (.auth), the owner's GUID (GUID.txt)
and lines of SBAT for what is sealed with them (sbat.csv).

DIR must be empty or not exist; keys are never overwritten. Keep the private keys safe: with db.key anyone can sign
images that your machines start, with PK.key change which keys they trust.`,
  arguments: [{ name: "DIR", summary: "directory to make" }],
  options: OPTIONS,
  examples: ["sealroot keys generate keys", 'sealroot keys generate keys --common-name "Example Corp" --rsa-bits 4096'],
  reportsJson: true,
  async run(invocation) {
    const { generateKeys, loadCertificate } = await import("../../keys/index.ts");
    const bits = invocation.option("rsa-bits");
    const rsaBits = RSA_BITS.find((size) => String(size) === bits);
    const commonName = invocation.option("common-name");
    const days = invocation.option("days");
    const keys = await generateKeys(invocation.argument("DIR"), {
      now: buildTime(),
      withPolicyKey: invocation.flag("pcr"),
      addedCertificates: invocation.list("add-db").map(loadCertificate),
      ...(rsaBits === undefined ? {} : { rsaBits }),
      ...(commonName === undefined ? {} : { commonName }),
      ...(days === undefined ? {} : { days: parseDays(days) }),
    });
    if (invocation.json) {
      invocation.output.json(keys);
      return;
    }
    const rows = Object.entries(keys.certificates).map(([name, { subject, fingerprintSha256, validTo }]) => [
      name,
      subject,
      validTo.slice(0, "2026-11-23".length),
      fingerprintSha256,
    ]);
    const header = ["KEY", "SUBJECT", "VALID TO", "SHA-256 FINGERPRINT"];
    for (const line of textTable([header, ...rows])) invocation.output.line(line);
  },
});
