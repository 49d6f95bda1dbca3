/** Where a sealed image is written to: a layout, or any other place by way of one. */
import { join } from "node:path";
import type { EventSink } from "../events/index.ts";
import {
  ACCEPT_ANYTHING,
  copyImage,
  formatReference,
  type ImageReference,
  type PathReference,
  type RegistryOptions,
  refuseReadOnly,
} from "../oci/index.ts";
import { temporaryDirectory } from "../platform/index.ts";

/** A layout and the tag in it. */
export type OutputLayout = PathReference & { readonly tag: string };

/** The tag that a sealed image gets when the output reference has none. */
const DEFAULT_TAG = "latest";

export interface OutputOptions {
  /** Where most blobs come from: a registry can take them over from another repository of its own. */
  readonly source: ImageReference;
  readonly registry?: RegistryOptions | undefined;
  /** Where the layout lies meanwhile; the system's temporary directory when absent. */
  readonly temporaryParent?: string | undefined;
  readonly events: EventSink;
}

/** The reference with the tag that it gets when it needs one. */
export function outputName(reference: ImageReference): string {
  return formatReference(isLayout(reference) ? layoutOf(reference) : reference);
}

/**
 * Has an image written into a layout, and brings it to where it shall go.
 *
 * @param write gets the layout that `reference` names, or a temporary one
 * @throws SealrootError `unsupported` for a place that is only read, before anything is done; else as `write` and
 *   copyImage
 */
export async function writtenTo<Result>(
  reference: ImageReference,
  { source, registry, temporaryParent, events }: OutputOptions,
  write: (layout: OutputLayout) => Promise<Result>,
): Promise<Result> {
  if (isLayout(reference)) return write(layoutOf(reference));
  refuseReadOnly(reference);
  using scratch = temporaryDirectory({
    ...(temporaryParent !== undefined && { parent: temporaryParent }),
    prefix: "sealroot-output-",
  });
  const layout: OutputLayout = { transport: "oci", path: join(scratch.path, "image"), tag: DEFAULT_TAG };
  const result = await write(layout);
  // What was written here just now needs nobody's signature.
  const policy = ACCEPT_ANYTHING;
  await copyImage(layout, reference, { policy, registry, mountFrom: source, preserveDigests: true, events });
  return result;
}

function isLayout(reference: ImageReference): reference is PathReference & { readonly transport: "oci" } {
  return reference.transport === "oci";
}

function layoutOf(reference: PathReference): OutputLayout {
  return { ...reference, tag: reference.tag ?? DEFAULT_TAG };
}
