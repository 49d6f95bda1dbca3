/** Sparse files in PAX headers, versions 0.0, 0.1 and 1.0 (GNU tar manual, "PAX Format, Version …"). */
import { type ByteString, byteString } from "../bytes/index.ts";
import { type TarPlace, tarError } from "./place.ts";
import { pairs, type SparseRegion } from "./sparse.ts";

const PREFIX = "GNU.sparse.";

/** What the records say about a file with holes. */
export interface PaxSparse {
  /** Of the content. */
  readonly sizeBytes: number;
  /** Undefined: their list is before the data (version 1.0). */
  readonly regions: readonly SparseRegion[] | undefined;
}

/** Collects the records of one header. */
export class PaxSparseRecords {
  /** The file's name; the header itself then has a made-up one. */
  name: ByteString | undefined;
  readonly #values = new Map<string, string>();
  /** Of version 0.0, which repeats two keys. */
  readonly #numbers: number[] = [];

  /**
   * @returns false for a record of another kind
   * @throws SealrootError `corrupt`
   */
  take(key: string, value: Uint8Array, place: TarPlace): boolean {
    if (!key.startsWith(PREFIX)) return false;
    const text: string = byteString(value);
    const kind = key.slice(PREFIX.length);
    if (kind === "name") this.name = text as ByteString;
    else if (kind === "offset" || kind === "numbytes") {
      const isDue = (this.#numbers.length % 2 === 0) === (kind === "offset");
      if (!isDue) throw tarError(place, "its PAX records of sparse regions are not in order");
      this.#numbers.push(numberOf(text, place));
    } else this.#values.set(kind, text);
    return true;
  }

  /**
   * @returns undefined when the file has no holes
   * @throws SealrootError `corrupt`, `unsupported` for another version
   */
  finish(place: TarPlace): PaxSparse | undefined {
    const values = this.#values;
    if (values.size === 0 && this.#numbers.length === 0) return undefined;
    const major = values.get("major");
    const version = major === undefined ? undefined : `${major}.${values.get("minor") ?? ""}`;
    if (version !== undefined && !["0.0", "0.1", "1.0"].includes(version)) {
      throw tarError(place, `sparse files of version ${version} are not supported`, {}, "unsupported");
    }
    const size = values.get("realsize") ?? values.get("size");
    if (size === undefined) throw tarError(place, "a sparse file without its size");
    const sizeBytes = numberOf(size, place);
    return { sizeBytes, regions: version === "1.0" ? undefined : this.#regions(place) };
  }

  #regions(place: TarPlace): SparseRegion[] {
    const map = this.#values.get("map");
    const numbers =
      map === undefined || map === "" ? this.#numbers : map.split(",").map((text) => numberOf(text, place));
    const count = this.#values.get("numblocks");
    if (numbers.length % 2 !== 0 || (count !== undefined && numberOf(count, place) * 2 !== numbers.length)) {
      throw tarError(place, "its list of sparse regions does not have the length it says");
    }
    return pairs(numbers);
  }
}

function numberOf(text: string, place: TarPlace): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw tarError(place, `a PAX record of its sparse regions is not a number: ${JSON.stringify(text.slice(0, 64))}`);
}
