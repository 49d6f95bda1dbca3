/** The names of images in an index.json (OCI image specification, annotations.md). */
import type { Descriptor, ImageIndex } from "../documents.ts";

/** Carries the tag of a manifest. */
export const REF_NAME_ANNOTATION = "org.opencontainers.image.ref.name";

/** The tags there are, in order. */
export function tagsIn(index: ImageIndex): string[] {
  return index.manifests.flatMap((entry) => entry.annotations?.[REF_NAME_ANNOTATION] ?? []);
}

/** The entry of a manifest under a tag, or under none; the name it had elsewhere is not taken along. */
export function entryNamed(descriptor: Descriptor, tag: string | undefined): Descriptor {
  const { annotations = {}, ...bare } = descriptor;
  const { [REF_NAME_ANNOTATION]: _, ...others } = annotations;
  const named = tag === undefined ? others : { ...others, [REF_NAME_ANNOTATION]: tag };
  return Object.keys(named).length === 0 ? bare : { ...bare, annotations: named };
}
