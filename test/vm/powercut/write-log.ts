/**
 * What a guest wrote to its disk, in the format of Linux' dm-log-writes (drivers/md/dm-log-writes.c) as QEMU's driver
 * blklogwrites makes it (block/blklogwrites.c): a super block, then entries of one sector each, with their data behind.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { corrupt } from "../../../src/errors/index.ts";

/** "jsfwshr", WRITE_LOG_MAGIC of both sources. */
const MAGIC = 0x6a736677736872n;
const VERSION = 1n;
const SUPER_BYTES = 28;
const ENTRY_BYTES = 32;
const FLAGS = { flush: 1n, fua: 2n, discard: 4n, mark: 8n } as const;
const ALL_FLAGS = 15n;
const LEAST_SECTOR_BYTES = 512;
const MOST_SECTOR_BYTES = 1 << 23;

export interface LogHeader {
  readonly entryCount: number;
  readonly sectorBytes: number;
}

/** One request. A flush has no data; what was written before it is durable. */
export interface LogEntry {
  /** Position in the log, from 0. */
  readonly index: number;
  readonly kind: "write" | "discard" | "flush" | "mark";
  /** On the disk. */
  readonly offsetBytes: number;
  /** Of a mark: of its text. */
  readonly sizeBytes: number;
  /** Durable by itself when it is done. */
  readonly isForced: boolean;
  /** Where a write's data are in the log. */
  readonly dataOffset: number;
}

/** @throws SealrootError `corrupt` */
export function parseLogHeader(bytes: Uint8Array): LogHeader {
  const view = viewOf(bytes, SUPER_BYTES, 0);
  const [magic, version] = [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  const sectorBytes = view.getUint32(24, true);
  if (magic !== MAGIC) throw corrupt("Cannot read the write log: wrong magic number", { offset: 0 });
  if (version !== VERSION) throw corrupt(`Cannot read the write log: version ${version}`, { offset: 8 });
  const isPower = (sectorBytes & (sectorBytes - 1)) === 0;
  if (!isPower || sectorBytes < LEAST_SECTOR_BYTES || sectorBytes > MOST_SECTOR_BYTES) {
    throw corrupt(`Cannot read the write log: sectors of ${sectorBytes} bytes`, { offset: 24 });
  }
  return { entryCount: Number(view.getBigUint64(16, true)), sectorBytes };
}

/**
 * @param bytes of the entry's sector
 * @param place the entry's index, and where its sector is in the log
 * @throws SealrootError `corrupt`
 */
export function parseLogEntry(
  bytes: Uint8Array,
  { sectorBytes }: LogHeader,
  place: { readonly index: number; readonly offset: number },
): LogEntry {
  const view = viewOf(bytes, ENTRY_BYTES, place.offset);
  const [sector, sectors, flags, dataBytes] = [0, 8, 16, 24].map((at) => view.getBigUint64(at, true));
  if (sector === undefined || sectors === undefined || flags === undefined || (flags & ~ALL_FLAGS) !== 0n) {
    throw corrupt(`Cannot read the write log: entry ${place.index} has flags 0x${flags?.toString(16)}`, {
      offset: place.offset + 16,
    });
  }
  const isMark = (flags & FLAGS.mark) !== 0n;
  const isFlush = (flags & FLAGS.flush) !== 0n;
  if (isFlush && sectors !== 0n) {
    throw corrupt(`Cannot read the write log: entry ${place.index} flushes and writes at once`, {
      offset: place.offset,
    });
  }
  return {
    index: place.index,
    kind: isMark ? "mark" : isFlush ? "flush" : (flags & FLAGS.discard) !== 0n ? "discard" : "write",
    offsetBytes: Number(sector) * sectorBytes,
    sizeBytes: isMark ? Number(dataBytes) : Number(sectors) * sectorBytes,
    isForced: (flags & FLAGS.fua) !== 0n,
    dataOffset: place.offset + sectorBytes,
  };
}

function viewOf(bytes: Uint8Array, neededBytes: number, offset: number): DataView {
  if (bytes.length >= neededBytes) return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  throw corrupt(`Cannot read the write log: it ends at ${offset + bytes.length}`, { offset });
}

/**
 * A log that is read entry by entry: it may be larger than memory. What was logged after the last flush is not counted in
 * its super block, and left out: none of it was promised to be durable.
 */
export class WriteLog implements Disposable {
  readonly header: LogHeader;
  readonly #fd: number;

  /** @throws SealrootError `corrupt` */
  constructor(path: string) {
    this.#fd = openSync(path, "r");
    try {
      this.header = parseLogHeader(this.#read(0, LEAST_SECTOR_BYTES));
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** @throws SealrootError `corrupt` */
  *entries(): Generator<LogEntry> {
    const { entryCount, sectorBytes } = this.header;
    const sizeBytes = fstatSync(this.#fd).size;
    for (let index = 0, offset = sectorBytes; index < entryCount; index++) {
      const entry = parseLogEntry(this.#read(offset, ENTRY_BYTES), this.header, { index, offset });
      const hasData = entry.kind === "write" || entry.kind === "mark";
      const dataBytes = hasData ? Math.ceil(entry.sizeBytes / sectorBytes) * sectorBytes : 0;
      offset = entry.dataOffset + dataBytes;
      if (offset > sizeBytes) throw corrupt(`Cannot read the write log: entry ${index} is cut off`, { offset });
      yield entry;
    }
  }

  /** The bytes of a write, or of a mark. */
  dataOf({ dataOffset, sizeBytes }: LogEntry): Buffer {
    const bytes = this.#read(dataOffset, sizeBytes);
    if (bytes.length === sizeBytes) return bytes;
    throw corrupt("Cannot read the write log: it is cut off", { offset: dataOffset });
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #read(offset: number, sizeBytes: number): Buffer {
    const bytes = Buffer.alloc(sizeBytes);
    return bytes.subarray(0, readSync(this.#fd, bytes, 0, sizeBytes, offset));
  }
}
