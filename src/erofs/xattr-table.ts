/** All xattrs of an image: equal pairs are one object, those of two or more inodes are stored once (spec/erofs.md 3.6). */
import { type ByteString, compareByteStrings } from "../bytes/index.ts";
import type { Epoch } from "./format.ts";
import { entryLength, XattrPair } from "./xattr-entry.ts";
import { splitXattrName, type XattrName } from "./xattr-name.ts";

/** Interns pairs and lays out the shared ones. */
export class XattrTable {
  readonly #epoch: Epoch;
  readonly #names = new Map<ByteString, XattrName>();
  readonly #pairs = new Map<ByteString, Map<ByteString, XattrPair>>();
  #shared: XattrPair[] = [];
  #sizeBytes = 0;

  constructor(epoch: Epoch) {
    this.#epoch = epoch;
  }

  /** The one split form of a name. */
  name(full: ByteString): XattrName {
    let name = this.#names.get(full);
    if (name === undefined) {
      name = splitXattrName(full, this.#epoch);
      this.#names.set(full, name);
    }
    return name;
  }

  /** The one pair with this name and value, counted as used once more, or `uses` times more. */
  use(full: ByteString, value: ByteString, uses = 1): XattrPair {
    let values = this.#pairs.get(full);
    if (values === undefined) {
      values = new Map();
      this.#pairs.set(full, values);
    }
    let pair = values.get(value);
    if (pair === undefined) {
      pair = new XattrPair(this.name(full), value);
      values.set(value, pair);
    }
    pair.uses += uses;
    return pair;
  }

  /** Chooses the shared pairs and assigns their offsets; no {@link use} afterwards. */
  layOut(): void {
    const shared: XattrPair[] = [];
    for (const values of this.#pairs.values()) {
      for (const pair of values.values()) {
        if (pair.uses > 1) shared.push(pair);
      }
    }
    this.#shared = shared.sort(this.#epoch === 1 ? compareEpoch1 : compareEpoch2);
    for (const pair of shared) {
      pair.tableOffset = this.#sizeBytes;
      this.#sizeBytes += entryLength(pair);
    }
  }

  /** The shared pairs in the order of the table. */
  get shared(): readonly XattrPair[] {
    return this.#shared;
  }

  /** Length of the shared table. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }
}

/** Descending by full name; within a name longer values first, then descending bytes. */
function compareEpoch1(a: XattrPair, b: XattrPair): number {
  return (
    compareByteStrings(b.name.full, a.name.full) ||
    b.value.length - a.value.length ||
    compareByteStrings(b.value, a.value)
  );
}

/** Ascending by prefix index, suffix and value. */
function compareEpoch2(a: XattrPair, b: XattrPair): number {
  return (
    a.name.index - b.name.index ||
    compareByteStrings(a.name.suffix, b.name.suffix) ||
    compareByteStrings(a.value, b.value)
  );
}
