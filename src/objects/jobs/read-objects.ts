/**
 * Reading objects one after the other for another thread, and checking them on the way. A reading's number is chosen by
 * its sender, whose requests all go to one worker.
 */
import { VerityHasher, verityDigests } from "../../verity/index.ts";
import { type OpenObject, openObject } from "../object-reader.ts";
import type { ObjectSettings } from "../object-settings.ts";

interface ReadObjectsInput {
  readonly reading: number;
  readonly settings: ObjectSettings;
  /** Objects that follow those of earlier requests. */
  readonly objectIds: readonly string[];
  /** Filled with what comes next. */
  readonly buffer: Uint8Array;
}

/** What is in the buffer now. */
export interface ReadPieces {
  /** Lengths of the pieces, one after the other, each of the next object; all but the last piece end theirs. */
  readonly sizesBytes: readonly number[];
  /** Whether the last piece ends its object too. */
  readonly lastEnds: boolean;
  /** For each object that ends here whether it has the digest of its name. */
  readonly good: readonly boolean[];
}

/** Those of this thread that have not ended. */
const readings = new Map<number, ObjectReading>();

/**
 * Fills the buffer as far as there are objects; those that were opened are as good as {@link openObject} can say.
 * @throws SealrootError when nothing can be read because the next object cannot; so does each further request
 */
export function readObjects({ reading: number, settings, objectIds, buffer }: ReadObjectsInput): ReadPieces {
  const reading = readings.get(number) ?? new ObjectReading(settings);
  readings.set(number, reading);
  return reading.fill(objectIds, buffer);
}

/** Forgets a reading. */
export function endReading({ reading: number }: { readonly reading: number }): void {
  readings.get(number)?.end();
  readings.delete(number);
}

class ObjectReading {
  readonly #settings: ObjectSettings;
  #objectIds: string[] = [];
  #object: OpenObject | undefined;
  /** How much of the first object was read; above zero, its hasher has seen it. */
  #offset = 0;
  #hasher: VerityHasher | undefined;

  constructor(settings: ObjectSettings) {
    this.#settings = settings;
  }

  fill(objectIds: readonly string[], buffer: Uint8Array): ReadPieces {
    this.#objectIds = [...this.#objectIds, ...objectIds];
    const continues = this.#offset > 0;
    const sizesBytes: number[] = [];
    let ended = 0;
    for (let usedBytes = 0; usedBytes < buffer.length && ended < this.#objectIds.length; ) {
      const readBytes = this.#read(this.#objectIds[ended] ?? "", buffer.subarray(usedBytes), sizesBytes.length > 0);
      if (readBytes === undefined) break;
      sizesBytes.push(readBytes);
      usedBytes += readBytes;
      if (this.#offset === 0) ended++;
    }
    const endedIds = this.#objectIds.slice(0, ended);
    this.#objectIds = this.#objectIds.slice(ended);
    const digests = this.#digests(buffer, sizesBytes, continues);
    return {
      sizesBytes,
      lastEnds: this.#offset === 0,
      good: endedIds.map((objectId, index) => objectId === digests[index]),
    };
  }

  end(): void {
    this.#object?.close();
    this.#object = undefined;
    this.#offset = 0;
  }

  /** Reads on. @returns undefined when that fails after others were read: what is there is passed on first */
  #read(objectId: string, room: Uint8Array, hasOthers: boolean): number | undefined {
    try {
      this.#object ??= openObject(this.#settings, objectId);
      const readBytes = Math.min(this.#object.sizeBytes - this.#offset, room.length);
      this.#object.readInto(room.subarray(0, readBytes), this.#offset);
      this.#offset += readBytes;
      if (this.#offset === this.#object.sizeBytes) this.end();
      return readBytes;
    } catch (error) {
      if (hasOthers) return undefined;
      throw error;
    }
  }

  /**
   * Hashes the pieces: the rest of an object if it continues, whole objects, and the beginning of another.
   * @returns the digests of the objects that end with one
   */
  #digests(buffer: Uint8Array, sizesBytes: readonly number[], continues: boolean): string[] {
    const { algorithm } = this.#settings;
    const whole = [...sizesBytes];
    const digests: string[] = [];
    let start = 0;
    if (continues) {
      start = whole.shift() ?? 0;
      this.#hasher?.update(buffer.subarray(0, start));
      if (whole.length === 0 && this.#offset > 0) return [];
      digests.push(this.#hasher?.hexDigest() ?? "");
    }
    const begun = this.#offset > 0 ? whole.pop() : undefined;
    const end = whole.reduce((sum, sizeBytes) => sum + sizeBytes, start);
    digests.push(...verityDigests(buffer.subarray(start, end), whole, algorithm));
    if (begun !== undefined) this.#hasher = new VerityHasher(algorithm).update(buffer.subarray(end, end + begun));
    return digests;
  }
}
