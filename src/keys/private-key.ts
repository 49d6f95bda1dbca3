/** Private keys as files: PEM, encrypted or not, or PKCS #8 in DER. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { SealrootError } from "../errors/index.ts";

/** PKCS #8 (RFC 7468 11) and OpenSSL's older form say so in their first lines. */
export function isEncryptedKey(content: Uint8Array): boolean {
  return /^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(Buffer.from(content).toString("latin1"));
}

/**
 * @param passphrase of an encrypted key
 * @throws SealrootError `unsupported` for an encrypted key without passphrase, `no-access` for a wrong one; `corrupt`
 */
export function parsePrivateKey(path: string, content: Uint8Array, passphrase?: Uint8Array): KeyObject {
  const isEncrypted = isEncryptedKey(content);
  if (isEncrypted && passphrase === undefined) {
    throw new SealrootError("unsupported", `Cannot read private key ${path}: it is encrypted`, {
      path,
      hint: "give --passphrase-file FILE, or name an outside signer that can decrypt it",
    });
  }
  const key = Buffer.from(content);
  try {
    if (!key.includes("-----BEGIN ")) return createPrivateKey({ key, format: "der", type: "pkcs8" });
    return createPrivateKey({ key, ...(passphrase !== undefined && { passphrase: Buffer.from(passphrase) }) });
  } catch (error) {
    if (isEncrypted) {
      throw new SealrootError(
        "no-access",
        `Cannot read private key ${path}: the passphrase does not fit`,
        { path },
        error,
      );
    }
    const what = `Cannot read private key ${path}: it is neither PEM nor PKCS #8`;
    throw new SealrootError("corrupt", what, { path }, error);
  }
}
