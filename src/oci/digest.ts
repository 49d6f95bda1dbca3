/** Content digests: "sha256:<hex>" (OCI image specification, descriptor.md, "Digests"). */
import { createHash, type Hash } from "node:crypto";
import { SealrootError } from "../errors/index.ts";

/** The registered algorithms (OCI image specification, descriptor.md, "Registered Algorithms"). */
export const DIGEST_ALGORITHMS = ["sha256", "sha512"] as const;

const HEX_DIGITS_OF: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/** True for a registered algorithm with as many lower-case hex digits as it has. */
export function isDigest(text: string): boolean {
  const [algorithm = "", hex = "", ...rest] = text.split(":");
  return rest.length === 0 && HEX_DIGITS_OF[algorithm] === hex.length && /^[0-9a-f]+$/.test(hex);
}

/** The algorithm and the hex digits. @throws SealrootError `corrupt` for anything else */
export function splitDigest(digest: string): { readonly algorithm: "sha256" | "sha512"; readonly hex: string } {
  const [algorithm = "", hex = ""] = digest.split(":");
  if (!isDigest(digest) || (algorithm !== "sha256" && algorithm !== "sha512")) {
    throw new SealrootError(
      "corrupt",
      `Cannot read digest: "${digest.slice(0, 160)}" is not sha256:<hex> or sha512:<hex>`,
    );
  }
  return { algorithm, hex };
}

/** The sha256 digest of `bytes` in its textual form. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The digest of `bytes` in the algorithm of another digest, to be compared with it. @throws as splitDigest */
export function digestLike(digest: string, bytes: Uint8Array): string {
  const { algorithm } = splitDigest(digest);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Compares bytes in memory with their digest. @throws SealrootError as DigestCheck.finish */
export function checkDigest(bytes: Uint8Array, expected: string, what: string): void {
  const check = new DigestCheck(expected);
  check.update(bytes);
  check.finish(what);
}

/** Hashes a stream as it passes and compares at the end. */
export class DigestCheck {
  readonly expected: string;
  readonly #algorithm: string;
  readonly #hash: Hash;
  #bytes = 0;

  constructor(expected: string) {
    this.expected = expected;
    this.#algorithm = splitDigest(expected).algorithm;
    this.#hash = createHash(this.#algorithm);
  }

  /** Bytes seen so far. */
  get bytes(): number {
    return this.#bytes;
  }

  update(part: Uint8Array): void {
    this.#hash.update(part);
    this.#bytes += part.length;
  }

  /**
   * @param what names the thing in the error, such as "blob" or "uncompressed layer"
   * @throws SealrootError `corrupt` with both digests
   */
  finish(what: string): void {
    const actual = `${this.#algorithm}:${this.#hash.digest("hex")}`;
    if (actual === this.expected) return;
    throw new SealrootError("corrupt", `Cannot accept ${what}: its digest is ${actual}, expected ${this.expected}`, {
      expected: this.expected,
      actual,
      hint: "fetch or build the image again; these are not the bytes its manifest names",
    });
  }
}
