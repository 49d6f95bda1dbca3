/**
 * The verdict of a firmware on a program of the boot chain: whether its Secure Boot databases let it start (UEFI 2.10,
 * 32.5.3.3; edk2, SecurityPkg, DxeImageVerificationLib). Asked by seal, attach and install for boot loader, UKI and
 * add-ons alike.
 */
import { type DigestName, readAuthenticode, signedPartDigest, verifyAuthenticode } from "../cms/index.ts";
import { authenticatedContent, guidOf, parseSignatureLists, type SignatureEntry, x509Entry } from "../efi/index.ts";
import { asSealrootError, reasonOf, SealrootError } from "../errors/index.ts";
import { parsePe, readSignatures, type SignedClaim, signedClaimOf, verifyClaim } from "../pe/index.ts";
import { loadNamedCertificate, readFirst } from "./directory.ts";

/** The keys that a machine enrols from one folder of enrolment files. */
export interface SignatureDatabases {
  /** Names them in errors, such as `the keys in auto/`. */
  readonly name: string;
  /** `db`: what may start. */
  readonly allowed: readonly SignatureEntry[];
  /** `dbx`: what must not, whoever signed it. */
  readonly forbidden: readonly SignatureEntry[];
}

/** An enrolment file of an image. */
interface FolderFile {
  readonly folder: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The owner is ignored. */
const NOBODY = guidOf("00000000-0000-0000-0000-000000000000");
const DIGESTS: readonly DigestName[] = ["sha256", "sha384", "sha512"];

/**
 * The databases of each folder of enrolment files. A folder without `db.auth` is left out: systemd-boot enrols nothing
 * from it.
 * @throws SealrootError `corrupt` naming a file that is not an update of a database
 */
export function databasesOf(files: readonly FolderFile[]): SignatureDatabases[] {
  return [...new Set(files.map(({ folder }) => folder))].flatMap((folder): SignatureDatabases[] => {
    const entries = (name: string) =>
      files.filter((file) => file.folder === folder && file.name === name).flatMap(entriesOf);
    if (!files.some((file) => file.folder === folder && file.name === "db.auth")) return [];
    return [{ name: `the keys in ${folder}/`, allowed: entries("db.auth"), forbidden: entries("dbx.auth") }];
  });
}

/**
 * The database of a directory of keys: its `db` certificate, and `db.auth` and `dbx.auth` when it has them.
 * @throws SealrootError `not-found` without certificate, `corrupt` for a file that is not what its name says
 */
export function databaseOfDirectory(directory: string): SignatureDatabases {
  const db = readFirst(directory, ["db.auth"]);
  const dbx = readFirst(directory, ["dbx.auth"]);
  return {
    name: `the keys in ${directory}`,
    allowed: [
      x509Entry(NOBODY, loadNamedCertificate(directory, "db")),
      ...(db === undefined ? [] : entriesOf({ folder: directory, name: "db.auth", bytes: db.value })),
    ],
    forbidden: dbx === undefined ? [] : entriesOf({ folder: directory, name: "dbx.auth", bytes: dbx.value }),
  };
}

/** A database with one certificate, for what nobody can revoke. @param path names it in errors */
export function databaseOfCertificate(path: string, certificateDer: Uint8Array): SignatureDatabases {
  return { name: `the certificate ${path}`, allowed: [x509Entry(NOBODY, certificateDer)], forbidden: [] };
}

function entriesOf({ folder, name, bytes }: FolderFile): readonly SignatureEntry[] {
  try {
    return parseSignatureLists(authenticatedContent(bytes));
  } catch (error) {
    const cause = asSealrootError(error, "Cannot read it");
    const what = `Cannot use the enrolment file ${folder}/${name}: ${stateOf(cause)}`;
    throw new SealrootError(cause.code, what, { ...cause.data, path: `${folder}/${name}` }, error);
  }
}

/** True when the program carries a signature, good or not. */
export function isSigned(program: Uint8Array): boolean {
  return readSignatures(parsePe(program)).length > 0;
}

/**
 * Checks that every one of the given databases lets a program start. Without databases its signature must be good by
 * the certificate that comes with it: then nobody is trusted, but a machine whose owner enrols that certificate accepts
 * it.
 *
 * @param what names the program in errors, such as `the UKI`
 * @throws SealrootError `untrusted` for a program without signature, by an unknown signer or revoked; `corrupt` for one
 *   that was changed after it was signed; `unsupported` for a signature that firmware does not accept: SHA-1, EC, RSA
 *   below 2048 bits
 */
export async function verifyBootProgram(
  program: Uint8Array,
  what: string,
  databases: readonly SignatureDatabases[],
): Promise<void> {
  const claim = await explained(what, undefined, () => signedClaimOf(parsePe(program)));
  await verifyBootClaim(claim, what, databases);
}

/** As {@link verifyBootProgram}, of a program of which only the claim is at hand. */
export async function verifyBootClaim(
  claim: SignedClaim,
  what: string,
  databases: readonly SignatureDatabases[],
): Promise<void> {
  if (databases.length === 0) {
    await explained(what, undefined, async () => verifyClaim(claim, await ownCertificates(claim)));
  }
  for (const { name, allowed, forbidden } of databases) {
    await explained(what, name, async () => {
      await refuseForbidden(claim, forbidden);
      if (hasDigest(claim, allowed)) return;
      await verifyClaim(claim, certificatesOf(allowed));
    });
  }
}

async function ownCertificates({ signatures }: SignedClaim): Promise<Uint8Array[]> {
  const claims = await Promise.allSettled(signatures.map(readAuthenticode));
  return claims.flatMap((claim) => (claim.status === "fulfilled" ? claim.value.certificates : []));
}

function certificatesOf(entries: readonly SignatureEntry[]): Uint8Array[] {
  return entries.filter(({ type }) => type === "x509").map(({ data }) => data);
}

/** Whether the entries name the image by its own digest. */
function hasDigest(image: SignedClaim, entries: readonly SignatureEntry[]): boolean {
  return DIGESTS.some((algorithm) => {
    const digests = entries.filter(({ type }) => type === algorithm);
    return digests.length > 0 && isAmong(image.digest(algorithm), digests);
  });
}

/** One signature that leads to a forbidden certificate is enough, however good the others are. */
async function refuseForbidden(image: SignedClaim, forbidden: readonly SignatureEntry[]): Promise<void> {
  if (forbidden.length === 0) return;
  if (hasDigest(image, forbidden)) throw revoked("its digest is in dbx");
  for (const signature of image.signatures) {
    const certificates = await readAuthenticode(signature).then(
      (claim) => claim.certificates,
      () => [],
    );
    if (certificates.some((certificate) => isNamed(certificate, forbidden))) throw revoked("its certificate is in dbx");
    const isByForbidden = await verifyAuthenticode(signature, image.digest, certificatesOf(forbidden)).then(
      () => true,
      () => false,
    );
    if (isByForbidden) throw revoked("its signer is in dbx, or was issued by one in dbx");
  }
}

/** Whether entries of `x509-sha256` and the like name a certificate; the time of revocation follows their digest. */
function isNamed(certificate: Uint8Array, entries: readonly SignatureEntry[]): boolean {
  return DIGESTS.some((algorithm) => {
    const digests = entries.filter(({ type }) => type === `x509-${algorithm}`);
    return digests.length > 0 && isAmong(signedPartDigest(certificate, algorithm), digests);
  });
}

function isAmong(digest: Uint8Array, entries: readonly SignatureEntry[]): boolean {
  return entries.some(({ data }) => Buffer.from(digest).equals(data.subarray(0, digest.length)));
}

function revoked(reason: string): SealrootError {
  return new SealrootError("untrusted", `Cannot trust the image: ${reason}`, {
    hint: "seal a newer image, or with another key",
  });
}

/** Runs one check; its error says which program, and whose keys refuse it. */
async function explained<T>(what: string, keys: string | undefined, check: () => Promise<T> | T): Promise<T> {
  try {
    return await check();
  } catch (error) {
    const cause = asSealrootError(error, "Cannot read it");
    const who = keys === undefined ? "" : `firmware with ${keys} refuses it, as `;
    const hint =
      cause.code === "untrusted" && keys !== undefined ? "sign it with a key whose certificate is in db" : undefined;
    const data = { ...(hint !== undefined && { hint }), ...cause.data };
    throw new SealrootError(cause.code, `Cannot use ${what}: ${who}${stateOf(cause)}`, data, error);
  }
}

/** What an error found, without the leading action. */
function stateOf(error: SealrootError): string {
  return reasonOf(error)
    .replace(/^Cannot [^:"]*: /, "")
    .replace(/^Cannot (use|trust the) (?=certificate )/, "");
}
