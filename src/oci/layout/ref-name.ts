/** The names of images in an index.json (OCI image specification, annotations.md). */
import type { Descriptor, ImageIndex } from "../documents.ts";

/** Carries the tag of a manifest. */
export const REF_NAME_ANNOTATION = "org.opencontainers.image.ref.name";

/** `@N`: the entry at that place (container-libs, oci/layout, "source index"). */
const PLACE = /^@(\d{1,6})$/;

/** The entry that `@N` means, or none. */
export function entryAt(index: ImageIndex, tag: string): Descriptor[] {
  const place = PLACE.exec(tag)?.[1];
  return place === undefined ? [] : index.manifests.slice(Number(place), Number(place) + 1);
}

/**
 * What to write after the path of a layout for each of its images, in order: the tag if it is unique, or the place. A
 * hint with anything else would mislead.
 */
export function waysToName(index: ImageIndex): string[] {
  const tags = index.manifests.map((entry) => entry.annotations?.[REF_NAME_ANNOTATION] ?? "");
  return tags.map((tag, place) => (tag !== "" && tags.indexOf(tag) === tags.lastIndexOf(tag) ? tag : `@${place}`));
}

/** The entry of a manifest under a tag, or under none; the name it had elsewhere is dropped. */
export function entryNamed(descriptor: Descriptor, tag: string | undefined): Descriptor {
  const { annotations = {}, ...bare } = descriptor;
  const { [REF_NAME_ANNOTATION]: _, ...others } = annotations;
  const named = tag === undefined ? others : { ...others, [REF_NAME_ANNOTATION]: tag };
  return Object.keys(named).length === 0 ? bare : { ...bare, annotations: named };
}
