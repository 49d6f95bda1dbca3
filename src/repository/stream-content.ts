/** The content of a stream. */

import { corrupt } from "../errors/index.ts";
import { OBJECT_CHUNK_BYTES } from "../objects/index.ts";
import { readSplitStream, streamParts } from "../splitstream/index.ts";
import type { Repository } from "./repository.ts";

/** Something that reads objects for its own purpose too. */
interface ObjectsReader {
  /** Is told the objects of a stream in the order of their first use. */
  expect(objectIds: readonly string[]): Promise<void>;
  /** The object's bytes in pieces, each valid until the next is requested; undefined: it does not read this one. */
  chunksOf(objectId: string): AsyncIterable<Uint8Array> | undefined;
}

/**
 * Reassembles a stream: inline bytes and the contents of its objects, in order. Each piece is valid until the next is
 * requested. Memory is the stored stream plus about 1 MiB.
 *
 * @param streamId object id of the split stream
 * @param reader reads objects; absent: nobody else needs their bytes
 * @throws SealrootError `corrupt` when it is damaged or not as long as its header says; `not-found` for a missing object
 */
export async function* streamContent(
  repository: Repository,
  streamId: string,
  reader?: ObjectsReader,
): AsyncGenerator<Uint8Array> {
  const stream = readSplitStream(repository.objects.read(streamId), { algorithm: repository.algorithm });
  await reader?.expect(stream.objectRefs);
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
    for await (const piece of reader?.chunksOf(part.objectId) ?? storedChunks(repository, part.objectId, buffer)) {
      count(piece.length);
      yield piece;
    }
  }
  if (sizeBytes !== stream.sizeBytes) throw otherLength(streamId, String(sizeBytes), stream.sizeBytes);
}

function* storedChunks(repository: Repository, objectId: string, buffer: Buffer): Generator<Uint8Array> {
  using object = repository.objects.open(objectId);
  yield* object.chunks(buffer);
}

function otherLength(streamId: string, actual: string, expected: number): Error {
  return corrupt(`Cannot read stream ${streamId}: it has ${actual} bytes, its header says ${expected}`);
}
