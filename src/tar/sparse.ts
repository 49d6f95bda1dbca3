/**
 * Files with holes: the archive has only their data, and a list of where these belong (GNU tar manual, "Storing Sparse
 * Files": the old form, and PAX versions 0.0, 0.1 and 1.0).
 */
import { byteString } from "../bytes/index.ts";
import { BLOCK_BYTES, FIELD } from "./header.ts";
import { readNumber, readSize } from "./number.ts";
import { type TarPlace, tarError } from "./place.ts";

/** All headers and lists of a file's regions; Go's reader has the same limit. */
const SPARSE_LIST_MAX_BYTES = 1 << 20;

/** The way out when a file with holes cannot be read. */
export const SPARSE_HINT =
  "make the archive again without sparse files: bsdtar --no-read-sparse, or tar without --sparse";

/** Data of a file; between regions are zeros. */
export interface SparseRegion {
  /** In the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** How the stored bytes of a file become its content. */
export interface SparseMap {
  /** Of the content. */
  readonly sizeBytes: number;
  /** In ascending order, without overlap. */
  readonly regions: readonly SparseRegion[];
}

/** Up to slightly above 2^53, which is then out of range. */
const NUMBER = /^\d{1,16}$/;

const NUMBER_BYTES = 12;
const REGION_BYTES = 2 * NUMBER_BYTES;

/** Regions of a file of the old GNU form, from its header and the blocks that follow it. */
export class OldSparseList {
  readonly regions: SparseRegion[] = [];
  readonly sizeBytes: number;
  #isContinued: boolean;
  #blocks = 0;

  /** @throws SealrootError `corrupt` */
  constructor(header: Uint8Array, place: TarPlace) {
    this.sizeBytes = readSize(header.subarray(...FIELD.sparseRealSize), "size of the sparse file", place);
    this.#readRegions(header.subarray(...FIELD.sparseRegions), place);
    this.#isContinued = header[FIELD.sparseIsContinued[0]] !== 0;
  }

  /** True while another block of regions follows. */
  get isContinued(): boolean {
    return this.#isContinued;
  }

  /** @throws SealrootError `corrupt` */
  addBlock(block: Uint8Array, place: TarPlace): void {
    if (++this.#blocks * BLOCK_BYTES > SPARSE_LIST_MAX_BYTES) throw listTooLong(place);
    this.#readRegions(block.subarray(...FIELD.sparseMoreRegions), place);
    this.#isContinued = block[FIELD.sparseMoreIsContinued[0]] !== 0;
  }

  /** A region without an offset ends the list. */
  #readRegions(bytes: Uint8Array, place: TarPlace): void {
    for (let at = 0; at < bytes.length && bytes[at] !== 0; at += REGION_BYTES) {
      const offset = Number(readNumber(bytes.subarray(at, at + NUMBER_BYTES), "sparse offset", place));
      const sizeBytes = Number(
        readNumber(bytes.subarray(at + NUMBER_BYTES, at + REGION_BYTES), "sparse length", place),
      );
      this.regions.push({ offset, sizeBytes });
    }
  }
}

/** The list of version 1.0, which precedes the data: decimal numbers, one per line, padded to whole blocks. */
export class LeadingSparseList {
  readonly #numbers: number[] = [];
  #text = "";
  #sizeBytes = 0;

  /** Bytes of the list so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** True when all regions have been read. */
  get isComplete(): boolean {
    const [count] = this.#numbers;
    return count !== undefined && this.#numbers.length >= 1 + 2 * count;
  }

  /** @throws SealrootError `corrupt` */
  addBlock(block: Uint8Array, place: TarPlace): void {
    this.#sizeBytes += BLOCK_BYTES;
    if (this.#sizeBytes > SPARSE_LIST_MAX_BYTES) throw listTooLong(place);
    const lines = `${this.#text}${byteString(block)}`.split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      if (this.isComplete) return;
      if (!NUMBER.test(line)) throw notNumbers(place);
      this.#numbers.push(Number(line));
    }
    // The padding of the last block is ignored.
    if (!this.isComplete && this.#text !== "" && !NUMBER.test(this.#text)) throw notNumbers(place);
  }

  /** Ask only when complete. */
  regions(): SparseRegion[] {
    return pairs(this.#numbers.slice(1));
  }
}

/** @param numbers alternating offset and length; an even count */
export function pairs(numbers: readonly number[]): SparseRegion[] {
  const regions: SparseRegion[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    regions.push({ offset: numbers[at] ?? 0, sizeBytes: numbers[at + 1] ?? 0 });
  }
  return regions;
}

/**
 * @param storedBytes length of the data in the archive
 * @throws SealrootError `corrupt` for regions out of order, beyond the end, or that the data do not fill
 */
export function checkedSparseMap(map: SparseMap, storedBytes: number, place: TarPlace): SparseMap {
  let end = 0;
  let sumBytes = 0;
  for (const { offset, sizeBytes } of map.regions) {
    // Neither sum can be inexact before it is out of range.
    const isInOrder = Number.isSafeInteger(offset) && offset >= end && sizeBytes >= 0;
    end = offset + sizeBytes;
    if (!isInOrder || !(end <= map.sizeBytes)) throw tarError(place, "its list of sparse regions is not in order");
    sumBytes += sizeBytes;
  }
  if (sumBytes === storedBytes) return map;
  throw tarError(place, "its sparse regions and its data differ in length", {
    expected: `${sumBytes} bytes`,
    actual: `${storedBytes} bytes`,
  });
}

function notNumbers(place: TarPlace) {
  return tarError(place, "its list of sparse regions is not numbers");
}

function listTooLong(place: TarPlace) {
  return tarError(place, `its list of sparse regions exceeds ${SPARSE_LIST_MAX_BYTES} bytes`);
}

const ZEROS = new Uint8Array(64 << 10);

/**
 * Turns the stored bytes of a sparse file, pushed in pieces, into its content.
 *
 * @returns generators of views that are valid until the next is requested; each must be run to its end
 */
export class SparseExpander {
  readonly #map: SparseMap;
  #region = 0;
  /** Bytes of the current region received. */
  #regionBytes = 0;
  /** Bytes of the content so far. */
  #position = 0;

  constructor(map: SparseMap) {
    this.#map = map;
  }

  *push(stored: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < stored.length; ) {
      const region = this.#map.regions[this.#region];
      if (region === undefined) return;
      yield* this.#zerosUpTo(region.offset);
      const length = Math.min(region.sizeBytes - this.#regionBytes, stored.length - at);
      if (length > 0) yield stored.subarray(at, at + length);
      at += length;
      this.#position += length;
      this.#regionBytes += length;
      if (this.#regionBytes === region.sizeBytes) {
        this.#region += 1;
        this.#regionBytes = 0;
      }
    }
  }

  *finish(): Generator<Uint8Array> {
    yield* this.#zerosUpTo(this.#map.sizeBytes);
  }

  *#zerosUpTo(offset: number): Generator<Uint8Array> {
    while (this.#position < offset) {
      const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, offset - this.#position));
      this.#position += zeros.length;
      yield zeros;
    }
  }
}
