/**
 * The list of a layer's files by the sha256 of their contents, as kept in the repository: docs/images.md, "Partial
 * pulls", has the format.
 */
import { createHash } from "node:crypto";
import { fromHex, toHex } from "../../bytes/index.ts";
import { INLINE_CONTENT_MAX_BYTES } from "../../tree/index.ts";

/** Content that the repository has: as an object or, if small enough to be in a stream, as its bytes. */
export type LocalContent =
  | { readonly type: "object"; readonly sizeBytes: number; readonly objectId: string }
  | { readonly type: "bytes"; readonly sizeBytes: number; readonly bytes: Uint8Array };

const MAGIC = Buffer.from("sealroot-files-1", "latin1");
const DIGEST_BYTES = 32;
const SIZE_BYTES = 8;
/** An object id, or the content itself: both are at most this long. */
const CONTENT_BYTES = 64;
const RECORD_BYTES = DIGEST_BYTES + SIZE_BYTES + CONTENT_BYTES;

/** Four million files; a longer list is not read. */
export const FILE_LIST_MAX_BYTES = 2 ** 22 * RECORD_BYTES;

/** @param contents by sha256 in hex */
export function encodeFileList(contents: ReadonlyMap<string, LocalContent>): Uint8Array {
  const sorted = [...contents].sort(([a], [b]) => (a < b ? -1 : 1));
  const list = Buffer.alloc(MAGIC.length + sorted.length * RECORD_BYTES + DIGEST_BYTES);
  list.set(MAGIC, 0);
  for (const [index, [digest, content]] of sorted.entries()) {
    const at = MAGIC.length + index * RECORD_BYTES;
    list.set(fromHex(digest), at);
    list.writeBigUInt64LE(BigInt(content.sizeBytes), at + DIGEST_BYTES);
    const bytes = content.type === "object" ? fromHex(content.objectId) : content.bytes;
    list.set(bytes, at + DIGEST_BYTES + SIZE_BYTES);
  }
  const end = list.length - DIGEST_BYTES;
  list.set(checksum(list.subarray(0, end)), end);
  return list;
}

/** True when the list is complete and undamaged. */
export function isFileList(list: Uint8Array): boolean {
  const end = list.length - DIGEST_BYTES;
  return (
    end >= MAGIC.length &&
    (end - MAGIC.length) % RECORD_BYTES === 0 &&
    MAGIC.equals(list.subarray(0, MAGIC.length)) &&
    checksum(list.subarray(0, end)).equals(list.subarray(end))
  );
}

/**
 * Looks up contents in one pass over the list and the wanted digests, both sorted.
 *
 * @param list for which {@link isFileList} holds
 * @param wanted sha256 in hex, sorted
 * @param objectIdBytes length of the repository's object ids
 */
export function* findInFileList(
  list: Buffer,
  wanted: readonly string[],
  objectIdBytes: number,
): Generator<[string, LocalContent]> {
  const end = list.length - DIGEST_BYTES;
  let at = MAGIC.length;
  for (const digest of wanted) {
    const key = fromHex(digest);
    while (at < end && list.compare(key, 0, DIGEST_BYTES, at, at + DIGEST_BYTES) < 0) at += RECORD_BYTES;
    if (at >= end) return;
    if (list.compare(key, 0, DIGEST_BYTES, at, at + DIGEST_BYTES) === 0)
      yield [digest, contentAt(list, at, objectIdBytes)];
  }
}

function contentAt(list: Buffer, at: number, objectIdBytes: number): LocalContent {
  const sizeBytes = Number(list.readBigUInt64LE(at + DIGEST_BYTES));
  const start = at + DIGEST_BYTES + SIZE_BYTES;
  if (sizeBytes <= INLINE_CONTENT_MAX_BYTES) {
    return { type: "bytes", sizeBytes, bytes: new Uint8Array(list.subarray(start, start + sizeBytes)) };
  }
  return { type: "object", sizeBytes, objectId: toHex(list.subarray(start, start + objectIdBytes)) };
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
