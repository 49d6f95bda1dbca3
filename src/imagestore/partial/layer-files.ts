/** The files of a layer, by the sha256 of their contents. */
import { createHash } from "node:crypto";
import type { Repository } from "../../repository/index.ts";
import { readChunks, readSplitStream } from "../../splitstream/index.ts";
import { type TarBody, type TarEntry, TarParser } from "../../tar/index.ts";
import { INLINE_CONTENT_MAX_BYTES } from "../../tree/index.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { CONTENT_TYPE } from "../stream-names.ts";
import type { LocalContent } from "./file-list.ts";

/**
 * An entry's content; undefined if it is not a file, is empty, is in the stream although it is larger, or has holes,
 * which the body does not show.
 */
function contentOf(entry: TarEntry, body: TarBody): LocalContent | undefined {
  const { sizeBytes } = entry;
  if (entry.kind !== "file" || sizeBytes === 0 || entry.sparse !== undefined) return undefined;
  if (body.type === "inline") return { type: "bytes", sizeBytes, bytes: new Uint8Array(body.bytes) };
  const isObject = body.type === "external" && sizeBytes > INLINE_CONTENT_MAX_BYTES;
  return isObject ? { type: "object", sizeBytes, objectId: body.reference } : undefined;
}

/**
 * The contents of a layer whose files' digests are known.
 * @param digestOf sha256 in hex by the file's path
 */
export function knownContents(
  entries: Iterable<ArchivedEntry>,
  digestOf: (path: string) => string | undefined,
): Map<string, LocalContent> {
  const contents = new Map<string, LocalContent>();
  for (const { entry, body } of entries) {
    const content = contentOf(entry, body);
    const digest = content === undefined ? undefined : digestOf(entry.path);
    if (content !== undefined && digest !== undefined) contents.set(digest, content);
  }
  return contents;
}

/**
 * The contents of a layer in the repository; its objects are read and hashed.
 *
 * @param layerId object id of its stream
 * @param onBytes called with the bytes hashed so far, and with all
 * @throws SealrootError `corrupt`, `not-found`, `conflict` … when it is not a readable layer
 */
export async function hashContents(
  repository: Repository,
  layerId: string,
  onBytes: (doneBytes: number, totalBytes: number) => void,
): Promise<Map<string, LocalContent>> {
  const contents = new Map<string, LocalContent>();
  const objects = new Map<string, Extract<LocalContent, { type: "object" }>>();
  let totalBytes = 0;
  await forEachEntry(repository, layerId, (entry, body) => {
    const content = contentOf(entry, body);
    if (content?.type === "bytes") contents.set(sha256(content.bytes), content);
    else if (content !== undefined && !objects.has(content.objectId)) {
      objects.set(content.objectId, content);
      totalBytes += content.sizeBytes;
    }
  });
  const digests = await repository.objects.contentDigests(objects.values(), (done) => onBytes(done, totalBytes));
  for (const [objectId, digest] of digests) {
    const content = objects.get(objectId);
    if (content !== undefined) contents.set(digest, content);
  }
  return contents;
}

async function forEachEntry(
  repository: Repository,
  layerId: string,
  visit: (entry: TarEntry, body: TarBody) => void,
): Promise<void> {
  const stream = readSplitStream(repository.objects.read(layerId), {
    algorithm: repository.algorithm,
    contentType: CONTENT_TYPE.layer,
  });
  const parser = new TarParser({ inline: () => {}, body: () => {}, entry: visit }, INLINE_CONTENT_MAX_BYTES);
  await readChunks(stream, {
    inline: (bytes) => parser.push(bytes),
    external: (objectId) => parser.pushExternal(objectId),
  });
  parser.finish();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
