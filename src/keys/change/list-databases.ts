/** What the databases of a key directory hold, for a person. */
import type { SignatureDatabaseName } from "../../efi/index.ts";
import { readFirst } from "../directory.ts";
import { isAddition, readDatabase } from "./database-file.ts";
import { type DatabaseItem, describeEntry } from "./database-items.ts";

export type ListedDatabases = Readonly<Record<SignatureDatabaseName, readonly DatabaseItem[]>>;

/**
 * The entries of `db.auth` and `dbx.auth`, none without the file or of one that only adds.
 * @throws SealrootError as readDatabase
 */
export async function listDatabases(directory: string): Promise<ListedDatabases> {
  const list = async (name: SignatureDatabaseName) => {
    const found = readFirst(directory, [`${name}.auth`]);
    if (found === undefined || (await isAddition(directory, name, found.value))) return [];
    return (await readDatabase(directory, name)).entries.map(describeEntry);
  };
  return { db: await list("db"), dbx: await list("dbx") };
}
