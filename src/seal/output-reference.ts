/** Where a sealed image is written to. */
import { SealrootError } from "../errors/index.ts";
import { formatReference, type ImageReference, type PathReference } from "../oci/index.ts";

/** A layout and the tag in it. */
export type OutputReference = PathReference & { readonly tag: string };

/** The tag that a sealed image gets when the output reference has none. */
const DEFAULT_TAG = "latest";

/**
 * The reference as an output.
 * @throws SealrootError `unsupported` for anything but a layout
 */
export function outputReference(reference: ImageReference): OutputReference {
  if (reference.transport !== "oci") {
    throw new SealrootError(
      "unsupported",
      `Cannot write to ${formatReference(reference)}: only oci:DIRECTORY is written`,
      {
        hint: "Write a layout; skopeo copies it anywhere else",
      },
    );
  }
  return { ...reference, tag: reference.tag ?? DEFAULT_TAG };
}
