/** What signs a sealed image elsewhere gets: the programs, what is to be signed of each, and a list of them as JSON. */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { toHex } from "../bytes/index.ts";
import { authenticodeToSign, certificateOf, describeCertificate } from "../cms/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { authenticodeDigest, parsePe, type UkiPolicy } from "../pe/index.ts";
import { syncDirectory, temporaryDirectory } from "../platform/index.ts";
import type { PcrBank } from "../tpm/index.ts";
import type { ImageProgram } from "./image-programs.ts";
import { unsignedPolicies } from "./pcr-policies.ts";

/** The list in a directory to be signed, {@link TO_SIGN_FILE}. */
export interface ToSign {
  readonly version: 1;
  readonly image: string;
  readonly manifestDigest: string;
  /** Under which the signatures are wanted; null when nobody has said. */
  readonly certificate: { readonly subject: string; readonly fingerprintSha256: string } | null;
  readonly files: readonly FileToSign[];
  /** Policies for PCR 11, before the UKI can be signed, which they become part of; absent when none are wanted. */
  readonly policies?: readonly PolicyToSign[];
}

export interface PolicyToSign {
  /** How far a boot has come when the policy holds. */
  readonly phase: string;
  readonly pcr: number;
  readonly bank: PcrBank;
  /** What is signed: RSA PKCS #1 v1.5 with SHA-256 over these bytes, hex. */
  readonly policyDigest: string;
  /** The file with the same bytes. */
  readonly name: string;
}

export interface FileToSign {
  /** The program's file beside the list. */
  readonly name: string;
  readonly kind: ImageProgram["kind"];
  /** Where the image gets it. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** What the firmware compares: the digest of the program without its signatures. */
  readonly authenticodeSha256: string;
  /** The file with the bytes that a bare RSA signature covers, and the digest that a module signs which is given only that. */
  readonly attributes: string;
  readonly attributesSha256: string;
  /** The file with the bytes that a CMS signature covers. */
  readonly content: string;
}

export const TO_SIGN_FILE = "to-sign.json";
const ATTRIBUTES_SUFFIX = ".attributes";
const CONTENT_SUFFIX = ".content";
const POLICY_SUFFIX = ".policy";

/** True for files beside a program that are no signatures. */
export function isMaterial(name: string): boolean {
  return name === TO_SIGN_FILE || [ATTRIBUTES_SUFFIX, CONTENT_SUFFIX, POLICY_SUFFIX].some((end) => name.endsWith(end));
}

/** @throws SealrootError `exists` when the directory holds anything */
export function checkVacantDirectory(directory: string): void {
  try {
    if (readdirSync(directory).length > 0) throw notVacant(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return;
    throw asSealrootError(error, `Cannot write what is to be signed to ${directory}`, { path: directory });
  }
}

/**
 * Writes the directory in one step: it is there whole, or not at all.
 *
 * @param directory empty, or not there yet
 * @param image where the programs are from, and the certificate (DER) under which signatures are wanted
 * @throws SealrootError `exists`, and of the file system
 */
export async function writeToSign(
  directory: string,
  programs: readonly ImageProgram[],
  image: {
    readonly reference: string;
    readonly manifestDigest: string;
    readonly certificateDer: Uint8Array | undefined;
    /** Of the policies that are to be signed, if the UKI wants some. */
    readonly phasePaths: readonly string[];
  },
): Promise<ToSign> {
  const target = resolve(directory);
  const { reference, manifestDigest, certificateDer, phasePaths } = image;
  const open = programs.map((program) => ({
    program,
    policies: program.kind === "uki" ? unsignedPolicies(program.bytes, phasePaths) : [],
  }));
  try {
    using temporary = temporaryDirectory({ parent: dirname(target), purpose: "to-sign" });
    const files: FileToSign[] = [];
    // A UKI without its policies is not finished: it is handed out when they are attached.
    for (const { program, policies } of open) {
      if (policies.length === 0) files.push(await writeProgram(temporary.path, program));
    }
    const policies = open.flatMap(({ policies }) => policies.map((policy) => writePolicy(temporary.path, policy)));
    const list: ToSign = {
      version: 1,
      image: reference,
      manifestDigest,
      certificate: certificateDer === undefined ? null : summaryOf(certificateDer),
      files,
      ...(policies.length > 0 && { policies }),
    };
    writeNew(join(temporary.path, TO_SIGN_FILE), `${JSON.stringify(list, null, 2)}\n`);
    syncDirectory(temporary.path);
    renameSync(temporary.path, target);
    syncDirectory(dirname(target));
    return list;
  } catch (error) {
    if (hasErrno(error, "ENOTEMPTY", "EEXIST")) throw notVacant(directory);
    throw asSealrootError(error, `Cannot write what is to be signed to ${directory}`, { path: directory });
  }
}

async function writeProgram(directory: string, { name, kind, path, bytes }: ImageProgram): Promise<FileToSign> {
  const digest = authenticodeDigest(parsePe(bytes, name));
  const { attributes, content } = await authenticodeToSign(digest);
  writeNew(join(directory, name), bytes);
  writeNew(join(directory, name + ATTRIBUTES_SUFFIX), attributes);
  writeNew(join(directory, name + CONTENT_SUFFIX), content);
  return {
    ...{ name, kind, path, sizeBytes: bytes.length, sha256: sha256(bytes), authenticodeSha256: toHex(digest) },
    ...{ attributes: name + ATTRIBUTES_SUFFIX, attributesSha256: sha256(attributes), content: name + CONTENT_SUFFIX },
  };
}

function writePolicy(directory: string, { phasePath, pcr, bank, digest }: UkiPolicy): PolicyToSign {
  const name = `pcr${pcr}-${bank}-${phasePath.replaceAll(":", "-")}${POLICY_SUFFIX}`;
  writeNew(join(directory, name), digest);
  return { phase: phasePath, pcr, bank, policyDigest: toHex(digest), name };
}

function summaryOf(certificateDer: Uint8Array): NonNullable<ToSign["certificate"]> {
  const { subject, fingerprintSha256 } = describeCertificate(certificateOf(certificateDer));
  return { subject, fingerprintSha256 };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function writeNew(path: string, content: string | Uint8Array): void {
  const descriptor = openSync(path, "wx", 0o644);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function notVacant(directory: string): SealrootError {
  const what = `Cannot write what is to be signed to ${directory}: it is not empty`;
  return new SealrootError("exists", what, { path: directory, hint: "name a new directory" });
}
