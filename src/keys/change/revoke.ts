/** Revoking: what is named goes into dbx, and never out of it. */
import type { Signer } from "../../cms/index.ts";
import type { SignatureEntry } from "../../efi/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { loadNamedCertificate } from "../directory.ts";
import { type DatabaseFile, databaseFiles, newEntries, ownerGuid, readDatabase, writeFiles } from "./database-file.ts";
import { type DatabaseItem, describeEntry, entryOfItem } from "./database-items.ts";
import { whileLocked } from "./directory-lock.ts";

export interface ChangedDatabase {
  readonly directory: string;
  /** What was added or removed; what was there, or gone, already is left out. */
  readonly changed: readonly DatabaseItem[];
  /** All that the database has now. */
  readonly entries: readonly DatabaseItem[];
  /** The files that were written. */
  readonly files: readonly string[];
}

/**
 * Adds entries to the directory's dbx: `dbx.auth` with all of them, `dbx.append.auth` with those that are new.
 *
 * @param items as {@link entryOfItem}
 * @param signer of the key exchange key; asked for only when there is something new
 * @throws SealrootError `conflict` for the certificate that the directory signs with; as entryOfItem and readDatabase
 */
export async function revoke(
  directory: string,
  items: readonly string[],
  signer: () => Promise<Signer>,
  now: Date,
): Promise<ChangedDatabase> {
  return whileLocked(directory, async () => {
    const owner = ownerGuid(directory);
    const current = loadNamedCertificate(directory, "db");
    const old = await readDatabase(directory, "dbx");
    const named: SignatureEntry[] = [];
    for (const item of items) {
      const entry = await entryOfItem(item, owner);
      if (entry.type === "x509" && Buffer.from(entry.data).equals(current)) throw inUse(directory, item);
      named.push(entry);
    }
    const added = newEntries(old, named);
    return changedDatabase("dbx", directory, old, [...old.entries, ...added], added, signer, now);
  });
}

/** Writes a database when something changes in it. */
export async function changedDatabase(
  name: "db" | "dbx",
  directory: string,
  old: DatabaseFile,
  entries: readonly SignatureEntry[],
  changed: readonly SignatureEntry[],
  signer: () => Promise<Signer>,
  now: Date,
): Promise<ChangedDatabase> {
  const added = entries.length >= old.entries.length ? changed : [];
  const files = changed.length === 0 ? [] : await databaseFiles(name, old, entries, added, await signer(), now);
  writeFiles(directory, files);
  return {
    directory,
    changed: changed.map(describeEntry),
    entries: entries.map(describeEntry),
    files: files.map((file) => file.name),
  };
}

function inUse(directory: string, item: string): SealrootError {
  const what = `Cannot revoke ${item}: it is the certificate that ${directory} signs with`;
  return new SealrootError("conflict", what, { path: item, hint: "first: sealroot keys rotate" });
}
