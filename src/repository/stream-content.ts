/** The content of a stream. */

import { corrupt } from "../errors/index.ts";
import { OBJECT_CHUNK_BYTES, type OpenObject } from "../objects/index.ts";
import { readSplitStream, streamParts } from "../splitstream/index.ts";
import type { Repository } from "./repository.ts";

/** Something that uses the bytes of an object besides passing them on. */
interface ObjectChunksReader {
  /** As {@link OpenObject.chunks}. */
  chunksOf(object: OpenObject): AsyncIterable<Uint8Array>;
}

/**
 * Reassembles a stream: inline bytes and the contents of its objects, in order. Each piece is valid until the next is
 * requested. Memory is the stored stream plus about 1 MiB.
 *
 * @param streamId object id of the split stream
 * @param reader reads the objects; absent: nobody else needs their bytes
 * @throws SealrootError `corrupt` when it is damaged or not as long as its header says; `not-found` for a missing object
 */
export async function* streamContent(
  repository: Repository,
  streamId: string,
  reader?: ObjectChunksReader,
): AsyncGenerator<Uint8Array> {
  const stream = readSplitStream(repository.objects.read(streamId), { algorithm: repository.algorithm });
  // One for all objects: fresh memory for each would cost as much as reading it.
  const buffer = Buffer.allocUnsafe(OBJECT_CHUNK_BYTES);
  let sizeBytes = 0;
  const count = (bytes: number) => {
    sizeBytes += bytes;
    // A small stream can expand to petabytes; one that is longer than it says is not worth reading.
    if (sizeBytes > stream.sizeBytes) throw otherLength(streamId, `over ${stream.sizeBytes}`, stream.sizeBytes);
  };
  for await (const part of streamParts(stream)) {
    if ("inline" in part) {
      count(part.inline.length);
      yield part.inline;
      continue;
    }
    using object = repository.objects.open(part.objectId);
    count(object.sizeBytes);
    yield* reader === undefined ? object.chunks(buffer) : reader.chunksOf(object);
  }
  if (sizeBytes !== stream.sizeBytes) throw otherLength(streamId, String(sizeBytes), stream.sizeBytes);
}

function otherLength(streamId: string, actual: string, expected: number): Error {
  return corrupt(`Cannot read stream ${streamId}: it has ${actual} bytes, its header says ${expected}`);
}
