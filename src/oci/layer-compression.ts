/** How a layer is actually compressed. */
import { SealrootError } from "../errors/index.ts";
import { type Compression, decompress } from "../zstd/index.ts";

/** Leading bytes: RFC 1952 2.3.1; RFC 8878 3.1.1, and 3.1.2 for skippable frames, whose first digit is any. */
const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE_MAGIC_TAIL = [0x2a, 0x4d, 0x18];

/** What some builders compress layers with, outside the image specification. */
const FOREIGN_MAGICS: readonly (readonly [string, readonly number[]])[] = [
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
];
const HEAD_BYTES = 6;

/** What the first bytes say: `none` when they are neither gzip nor zstd. */
export function compressionOf(head: Uint8Array): Compression {
  const startsWith = (magic: readonly number[], at = 0) => magic.every((byte, index) => head[at + index] === byte);
  if (startsWith(GZIP_MAGIC)) return "gzip";
  const isSkippable = (head[0] ?? 0) >> 4 === 0x5 && startsWith(SKIPPABLE_MAGIC_TAIL, 1);
  return startsWith(ZSTD_MAGIC) || isSkippable ? "zstd" : "none";
}

/**
 * The tar stream of a layer's blob. Some manifests say gzip for a plain blob (`podman save --format docker-dir`), or
 * tar for a compressed one, and other readers go by the first bytes, so these count. The diff id shows whether it was
 * right.
 *
 * @param stated what the media type says; used only for an empty blob
 * @returns pieces that are valid only until the next one is requested
 * @throws SealrootError `unsupported` for another compression; as decompress()
 */
export async function* decompressLayer(
  blob: AsyncIterable<Uint8Array>,
  stated: Compression,
): AsyncGenerator<Uint8Array> {
  const pieces = blob[Symbol.asyncIterator]();
  const first = await firstPiece(pieces);
  const foreign = FOREIGN_MAGICS.find(([, magic]) => magic.every((byte, index) => first[index] === byte));
  if (foreign !== undefined) throw foreignCompression(foreign[0]);
  yield* decompress(withFirst(first, pieces), first.length === 0 ? stated : compressionOf(first), {
    transient: true,
  });
}

function foreignCompression(name: string): SealrootError {
  return new SealrootError("unsupported", `Cannot decompress layer: it is compressed with ${name}`, {
    expected: "gzip, zstd, or no compression",
    actual: name,
    hint: "have it compressed again: skopeo copy --dest-compress --dest-compress-format zstd",
  });
}

/** Six bytes or more, unless there are fewer. */
async function firstPiece(pieces: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < HEAD_BYTES) {
    const next = await pieces.next();
    if (next.done === true) break;
    const isEnough = first.length === 0 && next.value.length >= HEAD_BYTES;
    first = isEnough ? next.value : Buffer.concat([first, next.value]);
  }
  return first;
}

async function* withFirst(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
