/** Signers and certificates from the files openssl made. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Signer, signerOfPrivateKey } from "../../src/cms/index.ts";
import type { TestKey } from "./boot-files.ts";

export function certificateDer(key: TestKey): Uint8Array {
  return new X509Certificate(readFileSync(key.certificatePath)).raw;
}

export function signerOf(key: TestKey): Signer {
  return signerOfPrivateKey(createPrivateKey(readFileSync(key.keyPath)), certificateDer(key));
}

/** A predicate for `assert.rejects` and `assert.throws`: code, and the message's beginning or pattern. */
export function failsWith(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { name, code: actualCode, message: actualMessage } = error as Error & { code?: string };
    if (name === "SealrootError" && actualCode === code && message.test(actualMessage)) return true;
    throw new Error(`wanted SealrootError ${code} ${message}, got ${name} ${actualCode}: ${actualMessage}`);
  };
}
