/** What a person names for a signature database: a program, a certificate, a digest. */
import { basename } from "node:path";
import { fromHex, toHex } from "../../bytes/index.ts";
import { certificateOf, describeCertificate } from "../../cms/index.ts";
import { type Guid, type SignatureEntry, x509Entry } from "../../efi/index.ts";
import { asSealrootError } from "../../errors/index.ts";
import { authenticodeDigest, parsePe } from "../../pe/index.ts";
import { readBoundedFile } from "../../platform/index.ts";
import { loadCertificate } from "../directory.ts";

/** An entry as a person sees it. */
export interface DatabaseItem {
  readonly kind: "certificate" | "digest" | "other";
  /** The subject of a certificate; of a digest, what it is of, if that is known. */
  readonly name: string | null;
  /** SHA-256 fingerprint of the certificate, the digest of the program, or the entry itself; hex. */
  readonly value: string;
}

/** No boot program is larger; what firmware loads has to fit into memory. */
const PROGRAM_BYTES_MAX = 1 << 30;

/**
 * @param text a certificate, a PE file, or the SHA-256 Authenticode digest of one (64 hex digits, with or without `sha256:`)
 * @param owner of the entry
 * @throws SealrootError `not-found`; `corrupt` for a file that is neither program nor certificate
 */
export async function entryOfItem(text: string, owner: Guid): Promise<SignatureEntry> {
  const digest = /^(?:sha256:)?([0-9a-fA-F]{64})$/.exec(text)?.[1];
  if (digest !== undefined) return { type: "sha256", owner, data: fromHex(digest.toLowerCase()) };
  const bytes = await readBoundedFile(text, PROGRAM_BYTES_MAX).catch((error: unknown) => {
    throw asSealrootError(error, `Cannot read ${basename(text)}`, { path: text });
  });
  if (bytes[0] === 0x4d && bytes[1] === 0x5a) {
    return { type: "sha256", owner, data: authenticodeDigest(parsePe(bytes, text)) };
  }
  return x509Entry(owner, loadCertificate(text));
}

export function describeEntry({ type, data }: SignatureEntry): DatabaseItem {
  if (type === "x509") {
    const { subject, fingerprintSha256 } = describeCertificate(certificateOf(data));
    return { kind: "certificate", name: subject, value: fingerprintSha256 };
  }
  const kind = type.startsWith("sha") ? "digest" : "other";
  return { kind, name: kind === "other" ? type : null, value: toHex(data) };
}
