/** Enrolment files: what systemd-boot reads from `loader/keys` to put the keys into the firmware. */
import { join } from "node:path";
import {
  parseAuthenticatedVariable,
  parseSignatureLists,
  type SecureBootVariableName,
  secureBootVariable,
  signVariable,
  verifyAuthenticatedVariable,
} from "../efi/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { isAddition, readDatabase } from "./change/database-file.ts";
import { loadCertificates, loadSigner, type OwnedCertificates, readFirst } from "./directory.ts";
import { enrolmentFile } from "./file-names.ts";

/** Content of `PK.auth`, `KEK.auth` and `db.auth`, and of `dbx.auth` when something is revoked. */
export type EnrolmentFiles = Readonly<Record<SecureBootVariableName, Uint8Array>> & { readonly dbx?: Uint8Array };

/** Whose key signs the update of a variable (UEFI 2.10, 32.3: PK signs itself and KEK, KEK signs db). */
export function authorityOf(name: SecureBootVariableName): SecureBootVariableName {
  return name === "db" ? "KEK" : "PK";
}

/**
 * The enrolment files of a key directory: those in it, verified, or new ones if a file is absent.
 *
 * @param now time stamp of new files
 * @throws SealrootError `not-found` when a file is absent and the key to make it too; `untrusted`, `corrupt` or
 *   `conflict` when a file does not enrol the directory's own certificate
 */
export async function loadEnrolment(directory: string, now: Date): Promise<EnrolmentFiles> {
  const owned = loadCertificates(directory);
  const load = (name: SecureBootVariableName) => loadEnrolmentFile(directory, name, owned, now);
  const found = readFirst(directory, ["dbx.auth"])?.value;
  const dbx = found !== undefined && (await isAddition(directory, "dbx", found)) ? undefined : found;
  // Verified as it is read.
  if (dbx !== undefined) await readDatabase(directory, "dbx");
  return {
    ...{ PK: await load("PK"), KEK: await load("KEK"), db: await load("db") },
    ...(dbx !== undefined && { dbx }),
  };
}

async function loadEnrolmentFile(
  directory: string,
  name: SecureBootVariableName,
  owned: OwnedCertificates,
  now: Date,
): Promise<Uint8Array> {
  const variable = secureBootVariable(name, owned.certificates[name], owned.ownerGuid, now);
  const found = readFirst(directory, [enrolmentFile(name)]);
  if (found === undefined) return signVariable(variable, loadSigner(directory, authorityOf(name)));
  const { path, value: content } = found;
  try {
    await verifyAuthenticatedVariable(content, variable, owned.certificates[authorityOf(name)]);
  } catch (error) {
    const cause = asSealrootError(error, `Cannot use ${path}`);
    throw new SealrootError(
      cause.code,
      `Cannot use enrolment file ${path}: ${cause.message}`,
      { ...cause.data, path },
      error,
    );
  }
  const enrolled = parseSignatureLists(parseAuthenticatedVariable(content).data);
  const wanted = owned.certificates[name];
  if (wanted.every((certificate) => enrolled.some(({ data }) => Buffer.from(certificate).equals(data)))) return content;
  throw new SealrootError(
    "conflict",
    `Cannot use enrolment file ${path}: it does not enrol ${join(directory, `${name}.pem`)}`,
    {
      path,
      hint: `remove it: sealroot makes a new one with the key of ${authorityOf(name)}`,
    },
  );
}
