/** Certificates in db beside the one that signs: of vendors whose option ROMs must start, or of an earlier key. */
import type { Signer } from "../../cms/index.ts";
import { certificateOf, describeCertificate } from "../../cms/index.ts";
import { x509Entry } from "../../efi/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { loadCertificate, loadNamedCertificate } from "../directory.ts";
import { type DatabaseFile, isSameEntry, newEntries, ownerGuid, readDatabase } from "./database-file.ts";
import { describeEntry } from "./database-items.ts";
import { whileLocked } from "./directory-lock.ts";
import { type ChangedDatabase, changedDatabase } from "./revoke.ts";

/**
 * Adds certificates to db.
 *
 * @param paths of certificates, PEM or DER
 * @throws SealrootError as loadCertificate and readDatabase
 */
export async function addCertificates(
  directory: string,
  paths: readonly string[],
  signer: () => Promise<Signer>,
  now: Date,
): Promise<ChangedDatabase> {
  return whileLocked(directory, async () => {
    const owner = ownerGuid(directory);
    const old = await currentDatabase(directory);
    const added = newEntries(
      old,
      paths.map((path) => x509Entry(owner, loadCertificate(path))),
    );
    return changedDatabase("db", directory, old, [...old.entries, ...added], added, signer, now);
  });
}

/**
 * Removes certificates from db. What they signed starts no more on machines that take the update.
 *
 * @param items paths of certificates, or their SHA-256 fingerprints
 * @throws SealrootError `conflict` for the certificate that the directory signs with, `not-found` for one that is not in db
 */
export async function removeCertificates(
  directory: string,
  items: readonly string[],
  signer: () => Promise<Signer>,
  now: Date,
): Promise<ChangedDatabase> {
  return whileLocked(directory, async () => {
    const old = await currentDatabase(directory);
    const current = loadNamedCertificate(directory, "db");
    const removed = items.map((item) => {
      const wanted = fingerprintOf(item);
      const entry = old.entries.find((one) => one.type === "x509" && describeEntry(one).value === wanted);
      if (entry === undefined) throw notInDatabase(directory, item, old);
      if (Buffer.from(entry.data).equals(current)) throw inUse(directory, item);
      return entry;
    });
    const kept = old.entries.filter((one) => !removed.includes(one));
    return changedDatabase("db", directory, old, kept, [...new Set(removed)], signer, now);
  });
}

/** As it is signed, or as it would be made: with the directory's own certificate. */
export async function currentDatabase(directory: string): Promise<DatabaseFile> {
  const own = x509Entry(ownerGuid(directory), loadNamedCertificate(directory, "db"));
  const { entries, timestamp } = await readDatabase(directory, "db");
  return { timestamp, entries: entries.some((one) => isSameEntry(one, own)) ? entries : [own, ...entries] };
}

function fingerprintOf(item: string): string {
  if (/^[0-9a-fA-F]{64}$/.test(item)) return item.toLowerCase();
  return describeCertificate(certificateOf(loadCertificate(item))).fingerprintSha256;
}

function notInDatabase(directory: string, item: string, { entries }: DatabaseFile): SealrootError {
  return new SealrootError("not-found", `Cannot remove ${item}: it is not in the db of ${directory}`, {
    path: item,
    expected: entries.map((entry) => describeEntry(entry).name ?? describeEntry(entry).value).join("; "),
  });
}

function inUse(directory: string, item: string): SealrootError {
  const what = `Cannot remove ${item}: it is the certificate that ${directory} signs with`;
  return new SealrootError("conflict", what, { path: item, hint: "first: sealroot keys rotate" });
}
