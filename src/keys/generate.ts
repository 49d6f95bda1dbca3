/** Makes a new directory of Secure Boot keys. */
import { createPrivateKey, randomUUID } from "node:crypto";
import { closeSync, fchmodSync, fsyncSync, openSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  type CertificateSummary,
  certificateOf,
  describeCertificate,
  type Signer,
  signerOfPrivateKey,
} from "../cms/index.ts";
import { type Guid, guidOf, type SecureBootVariableName, secureBootVariables, signVariable } from "../efi/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { syncDirectory, temporaryDirectory } from "../platform/index.ts";
import { newSbatText, SBAT_FILE } from "./change/sbat.ts";
import { authorityOf } from "./enrolment.ts";
import { GUID_FILE, KEY_NAMES } from "./file-names.ts";
import type { SelfSignedKey } from "./self-signed.ts";

export interface GenerateKeysOptions {
  /** Begins every certificate's common name, which ends in ` PK`, ` KEK` or ` db`. */
  readonly commonName?: string;
  /** 2048 if absent: the one size every UEFI firmware accepts. */
  readonly rsaBits?: 2048 | 3072 | 4096;
  /** How long the certificates are valid; ten years if absent. Firmware ignores it, other tools do not. */
  readonly days?: number;
  /** Certificates (DER) that db gets besides its own: of vendors whose option ROMs must start. */
  readonly addedCertificates?: readonly Uint8Array[];
  /** Also makes a key for signed policies of PCR 11. */
  readonly withPolicyKey?: boolean;
  /** Time stamp of the enrolment files and beginning of the validity. */
  readonly now: Date;
}

export interface GeneratedKeys {
  readonly directory: string;
  readonly ownerGuid: Guid;
  readonly certificates: Readonly<Record<SecureBootVariableName, CertificateSummary>>;
}

/** X.520 upper bound of a common name, less the longest ending. */
const COMMON_NAME_CHARACTERS_MAX = 60;
const DAYS_MAX = 36_500;
const DAY_MS = 86_400_000;

/**
 * Makes keys, certificates, signature lists and enrolment files for PK, KEK and db, and lines of SBAT for what they seal.
 *
 * Everything is written into a new directory beside `directory`, which then gets that name in one step: there is never
 * half a set of keys. An existing directory must be empty; keys are never overwritten.
 *
 * @throws SealrootError `exists` when the directory holds anything, `usage` for an option out of range
 */
export async function generateKeys(directory: string, options: GenerateKeysOptions): Promise<GeneratedKeys> {
  const commonName = options.commonName ?? "sealroot";
  const days = options.days ?? 3650;
  checkOptions(commonName, days);
  checkVacant(directory);
  const { makeSelfSignedKey } = await import("./self-signed.ts");
  const make = (name: SecureBootVariableName): Promise<SelfSignedKey> =>
    makeSelfSignedKey({
      commonName: `${commonName} ${name}`,
      rsaBits: options.rsaBits ?? 2048,
      notBefore: options.now,
      notAfter: new Date(options.now.getTime() + days * DAY_MS),
    });
  const keys = { PK: await make("PK"), KEK: await make("KEK"), db: await make("db") };
  const ownerGuid = guidOf(randomUUID());
  const policyKey = options.withPolicyKey === true ? (await import("./policy-key.ts")).newPolicyKeyFiles() : [];
  const sbat: NewFile = { name: SBAT_FILE, content: newSbatText(ownerGuid) };
  const files = [...(await filesOf(keys, ownerGuid, options)), guidFile(ownerGuid), sbat, ...policyKey];
  writeDirectory(directory, files);
  const summaryOf = (name: SecureBootVariableName) => describeCertificate(certificateOf(keys[name].certificateDer));
  return { directory, ownerGuid, certificates: { PK: summaryOf("PK"), KEK: summaryOf("KEK"), db: summaryOf("db") } };
}

/** A file of a key directory. */
export interface NewFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly isSecret?: boolean;
}

type KeySet = Readonly<Record<SecureBootVariableName, SelfSignedKey>>;

async function filesOf(
  keys: KeySet,
  ownerGuid: Guid,
  { now, addedCertificates = [] }: GenerateKeysOptions,
): Promise<NewFile[]> {
  const { pemOf } = await import("./self-signed.ts");
  const signerOf = (name: SecureBootVariableName): Signer =>
    signerOfPrivateKey(createPrivateKey(keys[name].privateKeyPem), keys[name].certificateDer);
  const files: NewFile[] = KEY_NAMES.flatMap((name) => [
    { name: `${name}.key`, content: keys[name].privateKeyPem, isSecret: true },
    { name: `${name}.pem`, content: pemOf("CERTIFICATE", keys[name].certificateDer) },
    { name: `${name}.der`, content: keys[name].certificateDer },
  ]);
  const certificates = {
    PK: [keys.PK.certificateDer],
    KEK: [keys.KEK.certificateDer],
    db: [keys.db.certificateDer, ...addedCertificates],
  };
  for (const variable of secureBootVariables(certificates, ownerGuid, now)) {
    files.push({ name: `${variable.name}.esl`, content: variable.data });
    const signer = signerOf(authorityOf(variable.name));
    files.push({ name: `${variable.name}.auth`, content: await signVariable(variable, signer) });
  }
  return files;
}

function guidFile(ownerGuid: Guid): NewFile {
  return { name: GUID_FILE, content: `${ownerGuid}\n` };
}

function checkOptions(commonName: string, days: number): void {
  const characters = [...commonName].length;
  // U+FFFD stands for bytes that were not UTF-8, a surrogate alone for none: the certificate could not say what was typed.
  const isPrintable = !/[\p{Cc}\p{Cs}\ufffd]/u.test(commonName);
  if (characters === 0 || characters > COMMON_NAME_CHARACTERS_MAX || !isPrintable) {
    throw new SealrootError("usage", `Cannot use common name ${JSON.stringify(commonName)} for a certificate`, {
      expected: `1 to ${COMMON_NAME_CHARACTERS_MAX} printable characters`,
    });
  }
  if (!Number.isInteger(days) || days < 1 || days > DAYS_MAX) {
    throw new SealrootError("usage", `Cannot make certificates valid for ${days} days`, {
      expected: `1 to ${DAYS_MAX}`,
    });
  }
}

function checkVacant(directory: string): void {
  let entries: string[];
  try {
    entries = readdirSync(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return;
    throw asSealrootError(error, `Cannot generate keys in ${directory}`, { path: directory });
  }
  if (entries.length > 0) throw notVacant(directory);
}

function notVacant(directory: string): SealrootError {
  return new SealrootError("exists", `Cannot generate keys in ${directory}: it is not empty`, {
    path: directory,
    hint: "existing keys are never overwritten; name a new directory",
  });
}

function writeDirectory(directory: string, files: readonly NewFile[]): void {
  const target = resolve(directory);
  try {
    using temporary = temporaryDirectory({ parent: dirname(target), purpose: "keys" });
    for (const file of files) writeNewFile(join(temporary.path, file.name), file);
    syncDirectory(temporary.path);
    renameSync(temporary.path, target);
    syncDirectory(dirname(target));
  } catch (error) {
    if (hasErrno(error, "ENOTEMPTY", "EEXIST")) throw notVacant(directory);
    throw asSealrootError(error, `Cannot generate keys in ${directory}`, { path: directory });
  }
}

/** A private key is readable only by its owner from its first byte on. */
export function writeNewFile(path: string, file: NewFile): void {
  const mode = file.isSecret === true ? 0o600 : 0o644;
  const descriptor = openSync(path, "wx", mode);
  try {
    fchmodSync(descriptor, mode);
    writeFileSync(descriptor, file.content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
