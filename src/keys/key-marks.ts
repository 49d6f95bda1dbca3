/** Marks beside a db key: for which kinds of images it has signed. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateOf, describeCertificate } from "../cms/index.ts";
import { asSealrootError, hasErrno } from "../errors/index.ts";

/** `strict`: fs-verity is required; `lenient`: it is not, the command line has `composefs=?`. */
export type SealKind = "strict" | "lenient";

const MARK_FILES: Readonly<Record<SealKind, string>> = { strict: "db.signed-strict", lenient: "db.signed-lenient" };

const MARK_TEXTS: Readonly<Record<SealKind, string>> = {
  strict: "This key has signed images that require fs-verity.",
  lenient: "This key has signed images that do not require fs-verity (composefs=?).",
};

/**
 * For which kinds of images the db key of a directory has signed. A mark that names another certificate is left over
 * from an earlier key.
 * @param certificateDer the db certificate
 * @throws SealrootError of the file system
 */
export function signedKinds(directory: string, certificateDer: Uint8Array): SealKind[] {
  const fingerprint = fingerprintOf(certificateDer);
  return (["strict", "lenient"] as const).filter((kind) => readMark(directory, kind).includes(fingerprint));
}

/** @throws Error of the file system */
export function writeMark(directory: string, kind: SealKind, certificateDer: Uint8Array): void {
  const text = `${MARK_TEXTS[kind]}\nSHA-256 fingerprint of its certificate: ${fingerprintOf(certificateDer)}\n`;
  writeFileSync(join(directory, MARK_FILES[kind]), text, { mode: 0o644 });
}

function readMark(directory: string, kind: SealKind): string {
  const path = join(directory, MARK_FILES[kind]);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}

function fingerprintOf(certificateDer: Uint8Array): string {
  return describeCertificate(certificateOf(certificateDer)).fingerprintSha256;
}
