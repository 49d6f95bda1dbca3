/** `sealroot keys list DIR`. */
import type { KeyReport, SealKind } from "../../keys/index.ts";
import { command } from "../shared/command.ts";
import { textTable } from "../shared/table.ts";
import { itemText } from "./changed-database.ts";

const KIND_TEXTS: Readonly<Record<SealKind, string>> = {
  strict: "images that require fs-verity",
  lenient: "images that do not require fs-verity",
};

export const keysList = command({
  description: `Shows the certificates in DIR and whether each private key belongs to its certificate. Reads the names of sealroot
(NAME.key, NAME.pem), of bootc's examples (NAME.crt, NAME.cer) and of sbctl (NAME/NAME.pem).

Exit code 1 when a private key does not belong to its certificate.`,
  arguments: [{ name: "DIR", summary: "directory of keys" }],
  examples: ["sealroot keys list keys", "sealroot keys list --json keys"],
  reportsJson: true,
  async run(invocation) {
    const { listDatabases, listKeys } = await import("../../keys/index.ts");
    const keys = listKeys(invocation.argument("DIR"));
    // Without the certificate of KEK there is nothing to verify them by.
    const hasAuthority = keys.some(({ name }) => name === "KEK");
    const { db, dbx } = hasAuthority ? await listDatabases(invocation.argument("DIR")) : { db: [], dbx: [] };
    if (invocation.json) {
      invocation.output.json({ keys: keys.map(reportOf), db, dbx });
    } else {
      const header = ["KEY", "SUBJECT", "RSA", "VALID FROM", "VALID TO", "PRIVATE KEY", "SHA-256 FINGERPRINT"];
      for (const line of textTable([header, ...keys.map(rowOf)], [2])) invocation.output.line(line);
      for (const { name, signedKinds = [] } of keys) {
        for (const kind of signedKinds) invocation.output.line(`${name} has signed ${KIND_TEXTS[kind]}`);
      }
      const own = keys.find(({ name }) => name === "db")?.fingerprintSha256;
      for (const item of db.filter(({ value }) => value !== own)) {
        invocation.output.line(`db accepts also ${itemText(item)}`);
      }
      for (const item of dbx) invocation.output.line(`dbx refuses ${itemText(item)}`);
    }
    return keys.some((key) => key.keyMatches === false) ? 1 : 0;
  },
});

/** With null for unknown values: JSON has no undefined. */
function reportOf(key: KeyReport) {
  const { privateKeyPath, keyMatches, signedKinds } = key;
  return {
    ...key,
    privateKeyPath: privateKeyPath ?? null,
    keyMatches: keyMatches ?? null,
    signedKinds: signedKinds ?? null,
  };
}

function rowOf(key: KeyReport): string[] {
  const dateCharacters = "2026-11-23".length;
  const state = key.keyMatches === undefined ? "elsewhere" : key.keyMatches ? "matches" : "DOES NOT MATCH";
  return [
    key.name,
    key.subject,
    String(key.rsaBits ?? "none"),
    key.validFrom.slice(0, dateCharacters),
    key.validTo.slice(0, dateCharacters),
    state,
    key.fingerprintSha256,
  ];
}
