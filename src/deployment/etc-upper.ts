/** `/etc` as the upper layer of an overlay: `[etc] mount = "overlay"` (spec/host-boot.md 5). */
import { type DirectoryNode, newMetadata, type TreeNode } from "../tree/index.ts";

/** Hides the name below it (Documentation/filesystems/overlayfs.rst, "whiteouts"). */
function whiteout(): TreeNode {
  return { kind: "character-device", metadata: newMetadata({ mode: 0 }), rdev: 0 };
}

/**
 * Adds to a whole `/etc` what makes it the upper layer over the image's: a whiteout for every name that the image has and
 * it has not.
 *
 * @param etc changed in place
 * @param image `/etc` of the image, the layer below
 */
export function hideMissingNames(etc: DirectoryNode, image: DirectoryNode): void {
  for (const [name, below] of image.entries) {
    const above = etc.entries.get(name);
    if (above === undefined) etc.entries.set(name, whiteout());
    else if (above.kind === "directory" && below.kind === "directory") hideMissingNames(above, below);
  }
}
