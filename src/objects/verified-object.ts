/** Reading what leaves the repository: contents match their names, whatever vouches for them. */
import { corrupt } from "../errors/index.ts";
import { VerityHasher } from "../verity/index.ts";
import type { OpenObject } from "./object-reader.ts";
import type { ObjectSettings } from "./object-settings.ts";

/**
 * The bytes of an object in pieces, each valid until the next is requested. In a secure repository the kernel checks
 * every block; elsewhere names are trusted when an object is opened (spec/repository.md 3.3), so the digest is computed
 * on the way and compared after the last piece.
 *
 * @throws SealrootError `corrupt` at the end, when the content has another digest
 */
export function* verifiedChunks(object: OpenObject, settings: ObjectSettings): Generator<Buffer, void, undefined> {
  if (settings.protection === "secure") {
    yield* object.chunks();
    return;
  }
  const hasher = new VerityHasher(settings.algorithm);
  for (const chunk of object.chunks()) {
    hasher.update(chunk);
    yield chunk;
  }
  requireDigest(object.objectId, hasher.hexDigest());
}

/** @throws SealrootError `corrupt` unless the digests are the same */
export function requireDigest(objectId: string, actual: string): void {
  if (actual === objectId) return;
  throw corrupt(`Cannot read object ${objectId}: its content has the digest ${actual}`, {
    expected: objectId,
    actual,
    hint: "sealroot repo fsck finds everything that is damaged, --repair fetches it again",
  });
}
