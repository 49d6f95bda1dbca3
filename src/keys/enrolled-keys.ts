/** What a machine has in its firmware once it has enrolled a directory's keys, for virtual machines. */
import { toHex } from "../bytes/index.ts";
import { type SignatureEntry, x509Entry } from "../efi/index.ts";
import { loadCertificates, type OwnedCertificates } from "./directory.ts";
import { databaseOfDirectory } from "./verify-boot-program.ts";

export interface EnrolledKeys extends OwnedCertificates {
  /** All of db: more than the directory's own certificate after `keys rotate` and `keys add`. */
  readonly allowed: readonly SignatureEntry[];
  /** All of dbx. */
  readonly forbidden: readonly SignatureEntry[];
}

/**
 * The directory's own certificates, with what its `db.auth` and `dbx.auth` have beside them.
 * @throws SealrootError as loadCertificates and databaseOfDirectory
 */
export function loadEnrolledKeys(directory: string): EnrolledKeys {
  const owned = loadCertificates(directory);
  const { allowed, forbidden } = databaseOfDirectory(directory);
  const own = owned.certificates.db.map((certificate) => x509Entry(owned.ownerGuid, certificate));
  return { ...owned, allowed: eachOnce([...own, ...allowed]), forbidden: eachOnce(forbidden) };
}

/** An entry that is there for several owners counts once. */
function eachOnce(entries: readonly SignatureEntry[]): SignatureEntry[] {
  return [...new Map(entries.map((entry) => [`${entry.type} ${toHex(entry.data)}`, entry])).values()];
}
