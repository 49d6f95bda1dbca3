/** How a layer is really compressed. */
import { type Compression, decompress } from "../../zstd/index.ts";

/** Leading bytes: RFC 1952 2.3.1; RFC 8878 3.1.1, and 3.1.2 for skippable frames, whose first digit is any. */
const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE_MAGIC_TAIL = [0x2a, 0x4d, 0x18];

/** What the first bytes say: `none` when they are neither gzip nor zstd. */
export function compressionOf(head: Uint8Array): Compression {
  const startsWith = (magic: readonly number[], at = 0) => magic.every((byte, index) => head[at + index] === byte);
  if (startsWith(GZIP_MAGIC)) return "gzip";
  const isSkippable = (head[0] ?? 0) >> 4 === 0x5 && startsWith(SKIPPABLE_MAGIC_TAIL, 1);
  return startsWith(ZSTD_MAGIC) || isSkippable ? "zstd" : "none";
}

/**
 * The tar stream of a layer's blob. Manifests of Docker's may say gzip where the blob is plain (`podman save --format
 * docker-dir` writes that), and other readers go by the first bytes; so where those are not of the stated compression,
 * they count. The diff id tells whether it was right.
 *
 * @param stated what the media type says
 * @returns pieces that are valid only until the next one is asked for
 * @throws as decompress()
 */
export async function* decompressLayer(
  blob: AsyncIterable<Uint8Array>,
  stated: Compression,
): AsyncGenerator<Uint8Array> {
  if (stated === "none") {
    yield* blob;
    return;
  }
  const pieces = blob[Symbol.asyncIterator]();
  const first = await firstPiece(pieces);
  yield* decompress(withFirst(first, pieces), first.length === 0 ? stated : compressionOf(first), {
    transient: true,
  });
}

/** Four bytes or more, unless there are not that many. */
async function firstPiece(pieces: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < ZSTD_MAGIC.length) {
    const next = await pieces.next();
    if (next.done === true) break;
    first = first.length === 0 ? next.value : Buffer.concat([first, next.value]);
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
