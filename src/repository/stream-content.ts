/** The bytes that a stream stands for. */
import { corrupt } from "../errors/index.ts";
import { readChunks, readSplitStream } from "../splitstream/index.ts";
import type { Repository } from "./repository.ts";

type StreamPart = { readonly inline: Uint8Array } | { readonly objectId: string };

/**
 * Reassembles a stream: inline bytes and the contents of its objects, in order. Each piece is valid until the next is
 * asked for. Memory is the stream's inline part plus 1 MiB.
 *
 * @param streamId object id of the split stream
 * @throws SealrootError `corrupt` when it is damaged or not as long as its header says; `not-found` for a missing object
 */
export async function* streamContent(repository: Repository, streamId: string): AsyncGenerator<Uint8Array> {
  const stream = readSplitStream(repository.objects.read(streamId), { algorithm: repository.algorithm });
  const parts: StreamPart[] = [];
  await readChunks(stream, {
    inline: (bytes) => parts.push({ inline: new Uint8Array(bytes) }),
    external: (objectId) => parts.push({ objectId }),
  });
  let sizeBytes = 0;
  for (const part of parts) {
    if ("inline" in part) {
      sizeBytes += part.inline.length;
      yield part.inline;
      continue;
    }
    using object = repository.objects.open(part.objectId);
    sizeBytes += object.sizeBytes;
    yield* object.chunks();
  }
  if (sizeBytes !== stream.sizeBytes) {
    throw corrupt(`Cannot read stream ${streamId}: it has ${sizeBytes} bytes, its header says ${stream.sizeBytes}`);
  }
}
