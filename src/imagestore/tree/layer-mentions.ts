/** Whether layers can have an extended attribute at all, without taking them apart. */
import { inLayer } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import { readChunks, readSplitStream } from "../../splitstream/index.ts";
import type { StoredLayerRef } from "../stored-image.ts";
import { CONTENT_TYPE } from "../stream-names.ts";

/** A tar has attributes as PAX records of this keyword and the attribute's name (spec/oci.md 2). */
const RECORD_PREFIX = "SCHILY.xattr.";

/**
 * Whether the bytes of an attribute's record stand anywhere in the layers outside of objects. False is certain: no file has
 * one. True is not: it may be the text of a small file, or of one that a later layer removes.
 *
 * @param namePrefixes beginnings of attributes' names, such as `user.`
 * @throws SealrootError `corrupt` and as readSplitStream(), with the layer
 */
export async function mayHaveXattrs(
  repository: Repository,
  layers: readonly StoredLayerRef[],
  namePrefixes: readonly string[],
): Promise<boolean> {
  const records = namePrefixes.map((prefix) => Buffer.from(`${RECORD_PREFIX}${prefix}`));
  const tailBytes = Math.max(...records.map(({ length }) => length)) - 1;
  for (const { layerId, place } of layers) {
    try {
      const { algorithm } = repository;
      const stream = readSplitStream(repository.objects.read(layerId), { algorithm, contentType: CONTENT_TYPE.layer });
      let isFound = false;
      let tail = Buffer.alloc(0);
      await readChunks(stream, {
        inline: (bytes) => {
          // A record may begin in one piece and end in the next.
          const joint = Buffer.concat([tail, bytes.subarray(0, tailBytes)]);
          const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
          isFound ||= records.some((record) => joint.includes(record) || whole.includes(record));
          tail = Buffer.concat([tail, bytes.subarray(Math.max(0, bytes.length - tailBytes))]).subarray(-tailBytes);
        },
        external: () => {},
      });
      if (isFound) return true;
    } catch (error) {
      throw inLayer(place, error);
    }
  }
  return false;
}
