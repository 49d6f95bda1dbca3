/** The extension headers before an entry: PAX records, long names of GNU tar. */
import { type ByteString, byteString } from "../bytes/index.ts";
import { type PaxOverrides, readPax } from "./pax.ts";
import { type TarPlace, tarError } from "./place.ts";

/** All extension headers of one entry together (spec/oci.md 3, limits). */
const EXTENSION_MAX_BYTES = 1 << 20;
/** Extension headers of one entry. */
const EXTENSION_MAX_COUNT = 16;

/** Parsed extension headers. */
export interface Extensions {
  readonly pax: PaxOverrides | undefined;
  /** Body of a GNU `L` header. */
  readonly longPath: ByteString | undefined;
  /** Body of a GNU `K` header. */
  readonly longLink: ByteString | undefined;
}

/**
 * Collects those of one entry. PAX records are parsed once the entry's own header is known, so that errors can name it.
 */
export class ExtensionHeaders {
  #count = 0;
  #bytes = 0;
  #pax: { readonly body: Uint8Array; readonly offset: number } | undefined;
  #longPath: ByteString | undefined;
  #longLink: ByteString | undefined;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get longPath(): ByteString | undefined {
    return this.#longPath;
  }

  /**
   * Counts a header whose body comes next.
   * @throws SealrootError `corrupt` for a second one of its kind, or too many
   */
  begin(flag: "x" | "L" | "K", sizeBytes: number, place: TarPlace): void {
    const known = { x: this.#pax, L: this.#longPath, K: this.#longLink }[flag];
    if (known !== undefined) throw tarError(place, `two "${flag}" headers for one entry`);
    this.#count += 1;
    this.#bytes += sizeBytes;
    if (this.#count > EXTENSION_MAX_COUNT) throw tarError(place, `more than ${EXTENSION_MAX_COUNT} extension headers`);
    if (this.#bytes > EXTENSION_MAX_BYTES) {
      throw tarError(place, `extension headers of one entry exceed ${EXTENSION_MAX_BYTES} bytes`);
    }
  }

  /** @param body of the header that began last; it is kept */
  end(flag: string, body: Uint8Array, offset: number): void {
    if (flag === "x") {
      this.#pax = { body, offset };
      return;
    }
    // One final NUL belongs to the header, not to the name (spec/oci.md 3).
    const text = byteString(body, 0, body.at(-1) === 0 ? body.length - 1 : body.length);
    if (flag === "L") this.#longPath = text;
    else this.#longLink = text;
  }

  /**
   * @param place of the entry's own header
   * @param path according to that header
   * @throws SealrootError as readPax
   */
  resolve(place: TarPlace, path: ByteString): Extensions {
    const named = { ...place, path: this.#longPath ?? path };
    const pax = this.#pax === undefined ? undefined : readPax(this.#pax.body, { ...named, offset: this.#pax.offset });
    return { pax, longPath: this.#longPath, longLink: this.#longLink };
  }
}
