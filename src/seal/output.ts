/** Where a sealed image is written to: a layout, or any other place by way of one. */
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import { copyInto, toDestination } from "../images/index.ts";
import {
  beginLayout,
  formatReference,
  type ImageReference,
  isSameImage,
  OciLayout,
  type PathReference,
} from "../oci/index.ts";
import { largeFileDirectory, temporaryDirectory } from "../platform/index.ts";
import { ACCEPT_ANYTHING } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";

/** A layout and the tag in it. */
export type OutputLayout = PathReference & { readonly tag: string };

/** The tag that a sealed image gets when the output reference has none. */
const DEFAULT_TAG = "latest";

export interface OutputOptions {
  /** Where most blobs come from: a registry can adopt them from another repository of its own. */
  readonly source: ImageReference;
  readonly registry?: RegistryOptions | undefined;
  /** Where the layout is meanwhile; {@link largeFileDirectory} if absent. */
  readonly temporaryParent?: string | undefined;
  readonly events: EventSink;
}

/** The reference with the tag that it gets if it needs one. */
export function outputName(reference: ImageReference): string {
  return formatReference(outputReference(reference));
}

/** The reference with the tag that a layout gets if none is given. */
export function outputReference(reference: ImageReference): ImageReference {
  return isLayout(reference) ? layoutOf(reference) : reference;
}

/**
 * @param change what is done to the image, and what it becomes
 * @throws SealrootError `conflict` when the output is the source itself
 */
export function refuseSameImage(
  source: ImageReference,
  output: ImageReference,
  { action, form }: { readonly action: string; readonly form: string },
): void {
  // Without a tag it is the only image of its layout, whatever its name.
  const isUntagged = source.transport === "oci" && output.transport === "oci" && source.tag === undefined;
  const named = isUntagged ? { ...source, tag: output.tag } : source;
  if (!isSameImage(outputReference(named), outputReference(output))) return;
  const what = `Cannot ${action} ${formatReference(source)}: it would be replaced by ${form}`;
  throw new SealrootError("conflict", what, { hint: "give the output another directory or tag" });
}

/**
 * Has an image written into a layout, and copies it to its destination. The destination is opened first, so that it
 * refuses before any work.
 *
 * @param write gets the layout that `reference` names, or a temporary one; if it throws, what is new there is removed
 * @throws SealrootError `unsupported` for a place that is only read, `usage` for a digest as name; as `write`,
 *   openDestination and copyInto
 */
export async function writtenTo<Result>(
  reference: ImageReference,
  options: OutputOptions,
  write: (layout: OutputLayout) => Promise<Result>,
): Promise<Result> {
  if (isLayout(reference)) return writtenToLayout(layoutOf(reference), write);
  refuseDigest(reference);
  const { source, registry, temporaryParent, events } = options;
  const opening = { mountFrom: source, registry, checkRights: true };
  return toDestination(reference, opening, async (destination) => {
    using scratch = temporaryDirectory({ parent: temporaryParent ?? largeFileDirectory(), purpose: "output" });
    const layout: OutputLayout = { transport: "oci", path: join(scratch.path, "image"), tag: DEFAULT_TAG };
    const result = await write(layout);
    // What was just written here needs no signature.
    await copyInto(destination, layout, { policy: ACCEPT_ANYTHING, preserveDigests: true, events });
    return result;
  });
}

async function writtenToLayout<Result>(
  layout: OutputLayout,
  write: (layout: OutputLayout) => Promise<Result>,
): Promise<Result> {
  const begun = beginLayout(layout.path);
  try {
    await OciLayout.create(layout.path);
    begun.join();
    const result = await write(layout);
    begun.keep();
    return result;
  } catch (error) {
    begun.takeBack();
    throw error;
  }
}

/** The digest of what will be written is not known yet. */
function refuseDigest(reference: ImageReference): void {
  if (reference.transport !== "docker" || reference.digest === undefined) return;
  const text = formatReference(reference);
  throw new SealrootError("usage", `Cannot write image ${text}: it is named by a digest that it cannot have yet`, {
    path: text,
    hint: "give a tag",
  });
}

function isLayout(reference: ImageReference): reference is PathReference & { readonly transport: "oci" } {
  return reference.transport === "oci";
}

function layoutOf(reference: PathReference): OutputLayout {
  return { ...reference, tag: reference.tag ?? DEFAULT_TAG };
}
