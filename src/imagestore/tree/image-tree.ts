/** The trees of an OCI image: layers merged, transformed, made bootable (spec/oci.md 4 and 6). */
import { SealrootError } from "../../errors/index.ts";
import type { Repository } from "../../repository/index.ts";
import {
  type BootTimes,
  type ContentReader,
  composeBootTree,
  composePlainTree,
  contentReader,
  DEFAULT_BOOT_RULE,
  type DirectoryNode,
} from "../../tree/index.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { type LayeredConfig, storedLayers } from "../stored-image.ts";
import { mergeLayers } from "./merge-layers.ts";

/** Which tree of an image is meant. */
export interface TreeVariant {
  /** With `/boot` and `/sysroot` emptied and labelled by the image's policy. */
  readonly bootable: boolean;
  readonly keepUserXattrs: boolean;
  /** Of a bootable one; the current rule if absent. */
  readonly bootTimes?: BootTimes;
}

/**
 * The tree of an image for an EROFS image: layers merged and transformed.
 *
 * @param fetched as in {@link mergeLayers}
 * @throws SealrootError `unsupported` for an artifact or a tree that lacks what it needs, `corrupt` for bad layers
 */
export async function imageTree(
  repository: Repository,
  stored: LayeredConfig,
  variant: TreeVariant,
  fetched?: Map<string, readonly ArchivedEntry[]>,
): Promise<DirectoryNode> {
  if (stored.config === undefined) {
    throw new SealrootError(
      "unsupported",
      `Cannot make a file system of ${stored.digest}: it is an artifact, not an image`,
    );
  }
  const root = await mergeLayers(repository, storedLayers(stored), fetched);
  const { keepUserXattrs, bootTimes = DEFAULT_BOOT_RULE.bootTimes } = variant;
  if (variant.bootable) composeBootTree(root, storedContents(repository), { keepUserXattrs, bootTimes });
  else composePlainTree(root, keepUserXattrs);
  return root;
}

/** Reads the contents of a tree whose larger files are in the repository. */
export function storedContents(repository: Repository): ContentReader {
  return contentReader((objectId) => repository.objects.read(objectId));
}
