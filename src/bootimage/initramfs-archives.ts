/** Unpacking one compressed stream of an initramfs, whatever follows it. */
import { crc32, inflateRawSync } from "node:zlib";
import { ByteCursor } from "../bytes/index.ts";
import type { Unpack, Unpackers } from "../cpio/index.ts";
import { corrupt, hasErrno, SealrootError } from "../errors/index.ts";
import { tooMuchOutput, unzstdWhole, ZstdFrameWalker } from "../zstd/index.ts";

/**
 * What all archives of an initramfs have, unpacked; the largest stock initramfs seen has 70 MB. Without it, seal would take
 * as much for each archive, of which there is no limit.
 */
export const INITRAMFS_UNPACKED_MAX_BYTES = 512 * 1024 * 1024;

const WHAT = "the archives of the initramfs";

/** A limit that is shared with other things that are unpacked. */
export interface SharedLimit {
  readonly leftBytes: number;
  take(what: string, sizeBytes: number): void;
  /** The error for what was found to be more than is left. */
  exceededBy(what: string): SealrootError;
}

/**
 * Unpackers for one walk over one initramfs, which count their output.
 * @param budget what it is drawn from besides; the limit of its own alone when absent
 */
export function boundedUnpackers(budget?: SharedLimit): Unpackers {
  let leftBytes = INITRAMFS_UNPACKED_MAX_BYTES;
  const bounded = (unpack: (compressed: Uint8Array, maxBytes: number) => ReturnType<Unpack>): Unpack => {
    return (compressed) => {
      try {
        const unpacked = unpack(compressed, Math.min(leftBytes, budget?.leftBytes ?? leftBytes));
        leftBytes -= unpacked.bytes.length;
        budget?.take(WHAT, unpacked.bytes.length);
        return unpacked;
      } catch (error) {
        if (!(error instanceof SealrootError) || error.code !== "unsupported") throw error;
        if (budget !== undefined && budget.leftBytes < leftBytes) throw budget.exceededBy(WHAT);
        const what = `Cannot unpack the initramfs: its archives unpack to more than ${INITRAMFS_UNPACKED_MAX_BYTES} bytes`;
        throw new SealrootError(
          "unsupported",
          what,
          { expected: `at most ${INITRAMFS_UNPACKED_MAX_BYTES} bytes` },
          error,
        );
      }
    };
  };
  return { zstd: bounded(unpackZstdFrames), gzip: bounded(unpackGzipMember) };
}

function unpackZstdFrames(compressed: Uint8Array, maxBytes: number): ReturnType<Unpack> {
  const consumedBytes = zstdBytes(compressed);
  return { bytes: unzstdWhole(compressed.subarray(0, consumedBytes), maxBytes, "unsupported"), consumedBytes };
}

/** No frame begins with this. */
const NO_MAGIC = new Uint8Array(4);

/** Length of the zstd frames at the beginning: the frame walker says the offset at which no further one begins. */
function zstdBytes(bytes: Uint8Array): number {
  const walker = new ZstdFrameWalker();
  try {
    walker.push(bytes);
    walker.push(NO_MAGIC);
  } catch (error) {
    const offset = error instanceof SealrootError ? error.data.offset : undefined;
    if (offset !== undefined && offset > 0) return offset;
    throw error;
  }
  throw corrupt("Cannot unpack the initramfs: unexpected end inside a zstd frame");
}

/** One member (RFC 1952, 2.3); gunzip itself would treat what follows as another one and fail. */
function unpackGzipMember(compressed: Uint8Array, maxBytes: number): ReturnType<Unpack> {
  const headerBytes = gzipHeaderBytes(compressed);
  const { bytes, consumedBytes } = inflate(compressed.subarray(headerBytes), maxBytes);
  const trailer = new ByteCursor(compressed, "gzip trailer of the initramfs", headerBytes + consumedBytes);
  if (trailer.u32() !== crc32(bytes) || trailer.u32() !== bytes.length % 2 ** 32) {
    throw corrupt("Cannot unpack the initramfs: gzip checksum or length do not fit");
  }
  return { bytes, consumedBytes: trailer.offset };
}

function gzipHeaderBytes(compressed: Uint8Array): number {
  const cursor = new ByteCursor(compressed, "gzip header of the initramfs", 3);
  const flags = cursor.u8();
  cursor.skip(6); // time, extra flags, system
  if ((flags & 0x04) !== 0) cursor.skip(cursor.u16()); // FEXTRA
  for (const named of [0x08, 0x10]) if ((flags & named) !== 0) while (cursor.u8() !== 0); // FNAME, FCOMMENT
  if ((flags & 0x02) !== 0) cursor.skip(2); // FHCRC
  return cursor.offset;
}

function inflate(deflated: Uint8Array, maxBytes: number): { bytes: Uint8Array; consumedBytes: number } {
  try {
    const result = inflateRawSync(deflated, { info: true, maxOutputLength: Math.max(maxBytes, 1) }) as unknown;
    const { buffer, engine } = result as { buffer: Buffer; engine: { bytesWritten: number } };
    return { bytes: buffer, consumedBytes: engine.bytesWritten };
  } catch (error) {
    if (hasErrno(error, "ERR_BUFFER_TOO_LARGE")) throw tooMuchOutput("gzip", maxBytes);
    throw corrupt(`Cannot unpack the initramfs: ${error instanceof Error ? error.message : error}`);
  }
}
