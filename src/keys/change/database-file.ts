/** The signature databases of a key directory: `db.auth` and `dbx.auth`, signed by the key exchange key, each newer than the last. */
import { join } from "node:path";
import type { Signer } from "../../cms/index.ts";
import {
  databaseUpdate,
  type Guid,
  guidOf,
  parseSignatureLists,
  type SignatureDatabaseName,
  type SignatureEntry,
  signVariable,
  verifyAuthenticatedVariable,
} from "../../efi/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { writeFileAtomically } from "../../platform/index.ts";
import { loadNamedCertificate, readFirst } from "../directory.ts";
import { GUID_FILES } from "../file-names.ts";

export interface DatabaseFile {
  readonly entries: readonly SignatureEntry[];
  /** Of the last update; undefined when there is none. */
  readonly timestamp: Date | undefined;
}

/** One file of a directory as it is to be. */
export interface ChangedFile {
  readonly name: string;
  readonly content: Uint8Array;
}

const SECOND_MS = 1000;
const EFI_TIME_BYTES = 16;

/**
 * The entries of a database, none without its file.
 * @throws SealrootError `corrupt` or `untrusted` for a file that the directory's KEK did not sign
 */
export async function readDatabase(directory: string, name: SignatureDatabaseName): Promise<DatabaseFile> {
  const found = readFirst(directory, [`${name}.auth`]);
  if (found === undefined) return { entries: [], timestamp: undefined };
  const target = databaseUpdate(name, [], new Date(0));
  const authority = [loadNamedCertificate(directory, "KEK")];
  try {
    const { data, timestamp } = await verifyAuthenticatedVariable(found.value, target, authority);
    return { entries: parseSignatureLists(data), timestamp };
  } catch (error) {
    if (await isAddition(directory, name, found.value)) throw onlyAddition(found.path);
    const cause = asSealrootError(error, `Cannot use ${found.path}`);
    const what = `Cannot use the database ${found.path}: ${cause.message}`;
    throw new SealrootError(cause.code, what, { ...cause.data, path: found.path }, error);
  }
}

/**
 * Whether a file is an update that only adds, as `sign-efi-sig-list -a` makes them: it is for machines that run, not for enrolling,
 * and need not have a time (UEFI 2.10, 8.2.2).
 */
export async function isAddition(
  directory: string,
  name: SignatureDatabaseName,
  content: Uint8Array,
): Promise<boolean> {
  if (content.subarray(0, EFI_TIME_BYTES).every((byte) => byte === 0)) return true;
  const authority = [loadNamedCertificate(directory, "KEK")];
  const target = databaseUpdate(name, [], new Date(0), true);
  return verifyAuthenticatedVariable(content, target, authority).then(
    () => true,
    () => false,
  );
}

/**
 * The files of a changed database: the update of the whole, its list, and an update that only adds what is new.
 *
 * @param signer of the key exchange key
 * @param added those of the entries that are new
 * @param now the update is stamped with it, or a second after the last one: firmware takes nothing that is not newer (UEFI
 *   2.10, 8.2.2)
 */
export async function databaseFiles(
  name: SignatureDatabaseName,
  old: DatabaseFile,
  entries: readonly SignatureEntry[],
  added: readonly SignatureEntry[],
  signer: Signer,
  now: Date,
): Promise<ChangedFile[]> {
  const timestamp = laterThan(old.timestamp, now);
  const whole = databaseUpdate(name, entries, timestamp);
  const files = [
    { name: `${name}.auth`, content: await signVariable(whole, signer) },
    { name: `${name}.esl`, content: whole.data },
  ];
  if (added.length === 0) return files;
  const appended = databaseUpdate(name, added, timestamp, true);
  return [...files, { name: `${name}.append.auth`, content: await signVariable(appended, signer) }];
}

/** The update itself first: it is what counts, the others are made of it. @throws SealrootError of the file system */
export function writeFiles(directory: string, files: readonly ChangedFile[]): void {
  for (const { name, content } of files) {
    try {
      writeFileAtomically(join(directory, name), content);
    } catch (error) {
      throw asSealrootError(error, `Cannot write ${name}`, { path: join(directory, name) });
    }
  }
}

/** The owner in entries of a directory. @throws SealrootError `not-found` */
export function ownerGuid(directory: string): Guid {
  const found = readFirst(directory, GUID_FILES);
  if (found !== undefined) return guidOf(Buffer.from(found.value).toString("latin1").trim());
  throw new SealrootError("not-found", `Cannot use the keys in ${directory}: ${GUID_FILES[0]} is missing`, {
    path: directory,
    hint: "write the owner's GUID into it, for example with `uuidgen`",
  });
}

/** Whoever put it there: the same thing of the same kind. */
export function isSameEntry(a: SignatureEntry, b: SignatureEntry): boolean {
  return a.type === b.type && Buffer.from(a.data).equals(b.data);
}

/** Those that a database lacks, each once. */
export function newEntries({ entries }: DatabaseFile, wanted: readonly SignatureEntry[]): SignatureEntry[] {
  const added: SignatureEntry[] = [];
  for (const entry of wanted) {
    if (![...entries, ...added].some((one) => isSameEntry(one, entry))) added.push(entry);
  }
  return added;
}

function laterThan(last: Date | undefined, now: Date): Date {
  const nowSeconds = Math.floor(now.getTime() / SECOND_MS);
  const lastSeconds = last === undefined ? Number.NEGATIVE_INFINITY : Math.floor(last.getTime() / SECOND_MS);
  return new Date(Math.max(nowSeconds, lastSeconds + 1) * SECOND_MS);
}

function onlyAddition(path: string): SealrootError {
  return new SealrootError("unsupported", `Cannot use the database ${path}: it is an update that only adds`, {
    path,
    hint: "give it another name, and name what it adds again",
  });
}
