/** Storing many small objects at once. */
import { verityDigests } from "../../verity/index.ts";
import { storeObject, storesByDigest } from "../object-draft.ts";
import type { ObjectSettings } from "../object-settings.ts";

export interface StoreObjectsInput {
  readonly settings: ObjectSettings;
  /** The objects' bytes, one after the other. */
  readonly bytes: Uint8Array;
  /** Their lengths. */
  readonly sizesBytes: readonly number[];
}

export interface StoreObjectsOutput {
  /** Of each object. */
  readonly objectIds: readonly string[];
  /** How many of them were new, and their bytes. */
  readonly newObjects: number;
  readonly storedBytes: number;
}

/** @throws SealrootError as {@link storeObject}; the objects before that are stored */
export function storeObjects({ settings, bytes, sizesBytes }: StoreObjectsInput): StoreObjectsOutput {
  const objectIds: string[] = [];
  let newObjects = 0;
  let storedBytes = 0;
  let start = 0;
  const known = storesByDigest(settings) ? verityDigests(bytes, sizesBytes, settings.algorithm) : [];
  for (const [index, sizeBytes] of sizesBytes.entries()) {
    const { objectId, isNew } = storeObject(settings, bytes.subarray(start, start + sizeBytes), known[index]);
    objectIds.push(objectId);
    start += sizeBytes;
    if (!isNew) continue;
    newObjects++;
    storedBytes += sizeBytes;
  }
  return { objectIds, newObjects, storedBytes };
}
