/** The walker over everything an initramfs file holds (spec/boot-chain.md G "Walker"; Linux init/initramfs.c). */
import { corrupt, SealrootError } from "../errors/index.ts";
import type { CpioEntry } from "./entry.ts";
import { isCpioHeader, readCpio } from "./read.ts";

/** One archive, or one compressed stream with the archives inside it. */
export interface InitramfsSegment {
  /** Half-open range in the initramfs. */
  readonly startOffset: number;
  readonly endOffset: number;
  readonly compression: "none" | UnpackableCompression;
  /** In file order; of repeated entries, in one segment or several, the last one counts. */
  readonly entries: readonly CpioEntry[];
}

export type UnpackableCompression = "gzip" | "zstd";

/** Unpacks the stream that begins at the first of the given bytes, and says where it ends in them. */
export type Unpack = (compressed: Uint8Array) => { readonly bytes: Uint8Array; readonly consumedBytes: number };

export type Unpackers = Readonly<Record<UnpackableCompression, Unpack>>;

interface Magic {
  readonly name: string;
  readonly bytes: readonly number[];
}

/**
 * Entries of all archives together: each takes some 200 bytes of memory, and the largest stock initramfs has 20,000.
 */
const ENTRIES_MAX = 500_000;

/** First bytes of the streams the kernel knows (Linux lib/decompress.c). */
const MAGICS: readonly Magic[] = [
  { name: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "gzip", bytes: [0x1f, 0x8b] },
  { name: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "lz4", bytes: [0x02, 0x21, 0x4c, 0x18] },
  { name: "bzip2", bytes: [0x42, 0x5a, 0x68] },
  { name: "lzma", bytes: [0x5d, 0x00, 0x00] },
];

/**
 * Walks all archives of an initramfs in the order the kernel unpacks them, one in memory at a time. Zero bytes between
 * them are skipped.
 *
 * @throws SealrootError `corrupt` where the kernel would stop unpacking; `unsupported` for an unsupported compression,
 *   or too many entries
 */
export function* walkInitramfs(bytes: Uint8Array, unpackers: Unpackers): Generator<InitramfsSegment, void> {
  let entries = 0;
  let offset = 0;
  for (;;) {
    while (bytes[offset] === 0) offset++;
    if (offset >= bytes.length) return;
    const segment = readSegment(bytes, offset, unpackers, ENTRIES_MAX - entries);
    entries += segment.entries.length;
    yield segment;
    offset = segment.endOffset;
  }
}

function readSegment(bytes: Uint8Array, offset: number, unpackers: Unpackers, entriesMax: number): InitramfsSegment {
  if (isCpioHeader(bytes, offset)) {
    // The kernel looks for a plain archive only at multiples of 4 and otherwise continues without it (spec G, joining
    // rules).
    if (offset % 4 !== 0) {
      throw corrupt("Cannot read the initramfs: a plain archive does not begin at a multiple of 4", { offset });
    }
    const { entries, endOffset } = readCpio(bytes, offset, entriesMax);
    return { startOffset: offset, endOffset, compression: "none", entries };
  }
  const magic = MAGICS.find((known) => known.bytes.every((byte, index) => bytes[offset + index] === byte));
  if (magic === undefined) {
    throw corrupt("Cannot read the initramfs: neither an archive nor a known compression", { offset });
  }
  if (magic.name !== "zstd" && magic.name !== "gzip") {
    throw new SealrootError("unsupported", `Cannot read the initramfs: it is compressed with ${magic.name}`, {
      offset,
      hint: "build the initramfs with zstd or gzip",
    });
  }
  const { bytes: unpacked, consumedBytes } = unpackers[magic.name](bytes.subarray(offset));
  if (consumedBytes <= 0) throw corrupt("Cannot read the initramfs: an empty compressed stream", { offset });
  const entries = walkPlain(unpacked, offset, entriesMax);
  return { startOffset: offset, endOffset: offset + consumedBytes, compression: magic.name, entries };
}

/** The archives inside a compressed stream; the kernel does not unpack a stream inside a stream. */
function walkPlain(bytes: Uint8Array, streamOffset: number, entriesMax: number): CpioEntry[] {
  const entries: CpioEntry[] = [];
  let offset = 0;
  for (;;) {
    while (bytes[offset] === 0) offset++;
    if (offset >= bytes.length) return entries;
    if (!isCpioHeader(bytes, offset)) {
      throw corrupt("Cannot read the initramfs: a compressed stream holds something other than archives", {
        offset: streamOffset,
      });
    }
    const archive = readCpio(bytes, offset, entriesMax - entries.length);
    for (const entry of archive.entries) entries.push(entry);
    offset = archive.endOffset;
  }
}
