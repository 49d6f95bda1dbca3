/** Checking EROFS images and that every object they name is there. */

import { erofsObjects } from "../../erofs/index.ts";
import { reasonOf } from "../../errors/index.ts";
import type { LinkEntry } from "../link-store.ts";
import type { Repository } from "../repository.ts";
import type { Finding } from "./fsck-report.ts";

/**
 * Checks the images that the entries lead to.
 * @param hasObject whether an object with that id is in the repository
 */
export function checkImages(
  repository: Repository,
  entries: readonly LinkEntry[],
  hasObject: (objectId: string) => boolean,
): Finding[] {
  return entries.flatMap((entry) => checkImage(repository, entry, hasObject));
}

function checkImage(
  repository: Repository,
  { entry, objectId }: LinkEntry,
  hasObject: (objectId: string) => boolean,
): Finding[] {
  const path = `images/${entry}`;
  const name: Finding[] =
    entry === objectId ? [] : [{ kind: "image-name-mismatch", path, detail: `it leads to object ${objectId}` }];
  let bytes: Uint8Array;
  try {
    bytes = repository.objects.read(objectId);
  } catch (error) {
    return [...name, { kind: "image-open-failed", path, detail: reasonOf(error) }];
  }
  try {
    const missing = [...erofsObjects(bytes)].filter((id) => !hasObject(id)).sort();
    return [...name, ...missing.map((id): Finding => ({ kind: "image-missing-object", path, detail: id }))];
  } catch (error) {
    return [...name, { kind: "image-invalid", path, detail: reasonOf(error) }];
  }
}
