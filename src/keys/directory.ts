/** Reads a directory of Secure Boot keys and checks that they fit together. */
import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  type CertificateSummary,
  certificateOf,
  describeCertificate,
  type Signer,
  signerOfPrivateKey,
} from "../cms/index.ts";
import { type Guid, guidOf, type SecureBootCertificates, type SecureBootVariableName } from "../efi/index.ts";
import { asSealrootError, corrupt, hasErrno, reasonOf, SealrootError } from "../errors/index.ts";
import { certificateFiles, GUID_FILES, KEY_NAMES, privateKeyFiles } from "./file-names.ts";
import { type SealKind, signedKinds } from "./key-marks.ts";
import { parsePrivateKey } from "./private-key.ts";

/** The certificates of a directory and the GUID under which they are enrolled. */
export interface OwnedCertificates {
  readonly ownerGuid: Guid;
  readonly certificates: SecureBootCertificates;
}

/** What a directory has for one of the three names. */
export interface KeyReport extends CertificateSummary {
  readonly name: SecureBootVariableName;
  readonly certificatePath: string;
  /** Undefined when the private key is kept elsewhere. */
  readonly privateKeyPath: string | undefined;
  /** Whether the private key belongs to the certificate; undefined when there is none. */
  readonly keyMatches: boolean | undefined;
  /** The kinds of images that a db key has signed, according to marks in the directory; undefined for other keys. */
  readonly signedKinds: readonly SealKind[] | undefined;
}

/** A certificate or key is a few kilobytes; larger files are not read. */
const FILE_BYTES_MAX = 1 << 20;

/**
 * What the directory holds: PK, KEK and db in this order, without those that have no certificate. Keys that do not
 * match are reported, not refused.
 * @throws SealrootError `not-found` when there is no certificate at all, `corrupt` or `conflict` for unusable files
 */
export function listKeys(directory: string): readonly KeyReport[] {
  const reports = KEY_NAMES.flatMap((name): readonly KeyReport[] => {
    const certificate = readCertificate(directory, name);
    if (certificate === undefined) return [];
    const privateKey = readPrivateKey(directory, name);
    return [
      {
        name,
        ...describeCertificate(certificate.value),
        certificatePath: certificate.path,
        privateKeyPath: privateKey?.path,
        keyMatches: privateKey === undefined ? undefined : isKeyOf(privateKey.value, certificate.value),
        signedKinds: name === "db" ? signedKinds(directory, certificate.value.raw) : undefined,
      },
    ];
  });
  if (reports.length > 0) return reports;
  throw new SealrootError("not-found", `Cannot list keys: ${directory} holds no certificate of PK, KEK or db`, {
    path: directory,
    expected: certificateFiles("db").join(", "),
  });
}

/**
 * The signer for images: the private key and certificate of `db`, or of another name.
 * @throws SealrootError `not-found` naming the missing file, `conflict` when key and certificate do not match
 */
export function loadSigner(directory: string, name: SecureBootVariableName = "db"): Signer {
  const certificate = requireCertificate(directory, name);
  const privateKey = readPrivateKey(directory, name);
  if (privateKey === undefined) {
    throw new SealrootError("not-found", `Cannot sign with the keys in ${directory}: ${name}.key is missing`, {
      path: join(directory, `${name}.key`),
      hint: "make keys with `sealroot keys generate`, or name an outside signer",
    });
  }
  if (!isKeyOf(privateKey.value, certificate.value)) {
    throw new SealrootError(
      "conflict",
      `Cannot sign with the keys in ${directory}: ${privateKey.path} does not belong to ${certificate.path}`,
      { path: privateKey.path },
    );
  }
  return signerOfPrivateKey(privateKey.value, certificate.value.raw);
}

/**
 * A certificate in a file of its own, PEM or DER.
 * @returns DER
 * @throws SealrootError `not-found`, `no-access`; `corrupt` for what is not one certificate
 */
export function loadCertificate(path: string): Uint8Array {
  const found = readFirst(dirname(path), [basename(path)]);
  if (found !== undefined) return parseCertificate(path, found.value).raw;
  throw new SealrootError("not-found", `Cannot read certificate ${path}: there is no such file`, { path });
}

/**
 * The certificates to enrol.
 * @throws SealrootError `not-found` naming the missing file
 */
export function loadCertificates(directory: string): OwnedCertificates {
  const der = (name: SecureBootVariableName) => [requireCertificate(directory, name).value.raw];
  const certificates = { PK: der("PK"), KEK: der("KEK"), db: der("db") };
  const guid = readFirst(directory, GUID_FILES);
  if (guid === undefined) {
    throw new SealrootError("not-found", `Cannot use the keys in ${directory}: ${GUID_FILES[0]} is missing`, {
      path: directory,
      hint: "write the owner's GUID into it, for example with `uuidgen`",
    });
  }
  return { ownerGuid: guidOf(Buffer.from(guid.value).toString("latin1").trim()), certificates };
}

export interface Found<T> {
  readonly path: string;
  readonly value: T;
}

function requireCertificate(directory: string, name: SecureBootVariableName): Found<X509Certificate> {
  const found = readCertificate(directory, name);
  if (found !== undefined) return found;
  throw new SealrootError("not-found", `Cannot use the keys in ${directory}: the certificate ${name}.pem is missing`, {
    path: join(directory, `${name}.pem`),
    expected: certificateFiles(name).join(", "),
    hint: "make keys with `sealroot keys generate`",
  });
}

/** Several files for one name must hold the same certificate. */
function readCertificate(directory: string, name: SecureBootVariableName): Found<X509Certificate> | undefined {
  const files = certificateFiles(name).flatMap((file) => readFirst(directory, [file]) ?? []);
  const [first, ...others] = files.map(({ path, value }) => ({ path, value: parseCertificate(path, value) }));
  const different = others.find((other) => other.value.fingerprint256 !== first?.value.fingerprint256);
  if (first === undefined || different === undefined) return first;
  throw new SealrootError(
    "conflict",
    `Cannot use the keys in ${directory}: ${first.path} and ${different.path} hold different certificates`,
    { path: different.path },
  );
}

function parseCertificate(path: string, content: Uint8Array): X509Certificate {
  const text = Buffer.from(content).toString("latin1");
  const count = text.split("-----BEGIN CERTIFICATE-----").length - 1;
  try {
    if (count === 0) return certificateOf(content);
    if (count > 1)
      throw corrupt(`Cannot read certificate ${path}: it holds ${count} certificates, one wanted`, { path });
    return new X509Certificate(content);
  } catch (error) {
    const reason = reasonOf(error);
    throw new SealrootError("corrupt", `Cannot read certificate ${path}: ${reason}`, { path }, error);
  }
}

function readPrivateKey(directory: string, name: SecureBootVariableName): Found<KeyObject> | undefined {
  const found = readFirst(directory, privateKeyFiles(name));
  return found && { path: found.path, value: parsePrivateKey(found.path, found.value) };
}

/** The file with the private key of a name, as it is; undefined without one. */
export function findPrivateKey(directory: string, name: SecureBootVariableName): Found<Uint8Array> | undefined {
  return readFirst(directory, privateKeyFiles(name));
}

/**
 * The certificate of a name, DER, for directories that need not hold more.
 * @throws SealrootError `not-found` naming the missing file
 */
export function loadNamedCertificate(directory: string, name: SecureBootVariableName): Uint8Array {
  return requireCertificate(directory, name).value.raw;
}

function isKeyOf(privateKey: KeyObject, certificate: X509Certificate): boolean {
  return createPublicKey(privateKey).equals(certificate.publicKey);
}

/** The first of the files that exists. */
export function readFirst(directory: string, names: readonly string[]): Found<Uint8Array> | undefined {
  for (const name of names) {
    const path = join(directory, name);
    try {
      const value = readFileSync(path);
      if (value.length <= FILE_BYTES_MAX) return { path, value };
      throw corrupt(`Cannot read ${path}: ${value.length} bytes are too many for a key or certificate`, { path });
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) continue;
      throw asSealrootError(error, `Cannot read ${path}`, { path });
    }
  }
  return undefined;
}
