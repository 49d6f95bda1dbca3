/** The bytes of one file of a layer, from the repository or from the blob, verified. */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { TocChunk, TocContent } from "../../chunked/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import type { Repository } from "../../repository/index.ts";
import { decompress, unzstdWhole } from "../../zstd/index.ts";
import { sha256Hex } from "./fetch-plan.ts";
import type { LocalContent } from "./file-list.ts";
import { StaleContent } from "./not-partial.ts";
import type { RangeReader } from "./range-reader.ts";

/** Chunks up to these sizes, compressed and not, are decoded at once; an engine for each would take longer. */
const WHOLE_CHUNK_MAX_BYTES = 8 << 20;
const ZEROS = new Uint8Array(1 << 20);

/**
 * The content of a file from the repository; each piece is valid until the next is requested. At the end it is proven
 * to match the table.
 *
 * @throws StaleContent when the object is not what the list of local contents says
 */
export async function* localBody(
  repository: Repository,
  local: LocalContent,
  digest: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  try {
    if (local.type === "bytes") {
      hash.update(local.bytes);
      yield local.bytes;
    } else {
      using object = repository.objects.open(local.objectId);
      for (const chunk of object.chunks()) {
        hash.update(chunk);
        yield chunk;
        // Reading never waits: others must get a turn between the pieces of a large file.
        if (object.sizeBytes > chunk.length) await setImmediate();
      }
    }
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    throw new StaleContent(sha256Hex(digest), "a file that the repository has cannot be read", error);
  }
  if (hash.digest("hex") !== sha256Hex(digest)) {
    throw new StaleContent(sha256Hex(digest), "a file that the repository has has changed");
  }
}

/**
 * The content of a file from the blob.
 * @param path for errors
 * @throws SealrootError `corrupt` when its frames do not decode to it; as RangeReader.read
 */
export async function* fetchedBody(reader: RangeReader, content: TocContent, path: string): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for (const chunk of content.chunks) {
    let sizeBytes = 0;
    for await (const piece of chunk.isHole ? zeros(chunk.sizeBytes) : decodedChunk(reader, chunk)) {
      sizeBytes += piece.length;
      if (sizeBytes > chunk.sizeBytes) break;
      hash.update(piece);
      yield piece;
    }
    if (sizeBytes !== chunk.sizeBytes) {
      const what = `a chunk at ${chunk.start} of the blob is not ${chunk.sizeBytes} bytes long`;
      throw corrupt(`Cannot accept file of the layer: ${what}`, { path, offset: chunk.start });
    }
  }
  const actual = `sha256:${hash.digest("hex")}`;
  if (actual === content.digest) return;
  throw corrupt(`Cannot accept file of the layer: its digest is ${actual}, expected ${content.digest}`, {
    path,
    expected: content.digest,
    actual,
  });
}

function* zeros(sizeBytes: number): Generator<Uint8Array> {
  for (let rest = sizeBytes; rest > 0; rest -= ZEROS.length) yield ZEROS.subarray(0, Math.min(rest, ZEROS.length));
}

/** All frames of the range, nothing else; the digest of the file vouches for them. */
async function* decodedChunk(reader: RangeReader, chunk: TocChunk): AsyncGenerator<Uint8Array> {
  const { start, end, sizeBytes } = chunk;
  if (Math.max(end - start, sizeBytes) > WHOLE_CHUNK_MAX_BYTES) {
    yield* decompress(copied(reader.read(start, end)), "zstd");
    return;
  }
  const compressed: Uint8Array[] = [];
  for await (const part of copied(reader.read(start, end))) compressed.push(part);
  yield unzstdWhole(compressed.length === 1 ? (compressed[0] ?? ZEROS) : Buffer.concat(compressed), sizeBytes);
}

async function* copied(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const part of parts) yield new Uint8Array(part);
}
