/** The trees of an OCI image: layers merged, transformed, made bootable (spec/oci.md 4 and 6). */
import { SealrootError } from "../../errors/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { SelinuxPolicy } from "../../selinux/index.ts";
import {
  type BootTimes,
  type DirectoryNode,
  type FileContent,
  readSelinuxPolicy,
  transformForBoot,
  transformForOci,
} from "../../tree/index.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { type LayeredConfig, storedLayers } from "../stored-image.ts";
import { mergeLayers } from "./merge-layers.ts";

/** Which tree of an image is meant. */
export interface TreeVariant {
  /** With `/boot` and `/sysroot` emptied and labelled by the image's policy. */
  readonly bootable: boolean;
  readonly keepUserXattrs: boolean;
  /** Of a bootable one; the present rule when absent. */
  readonly bootTimes?: BootTimes;
}

/**
 * The tree of an image as it goes into an EROFS image: layers merged and transformed.
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
  transformForOci(root, { keepUserXattrs: variant.keepUserXattrs });
  if (variant.bootable) makeBootable(repository, root, variant.bootTimes);
  return root;
}

/** Changes a tree that went through {@link transformForOci} into its boot variant. */
export function makeBootable(repository: Repository, root: DirectoryNode, times?: BootTimes): void {
  transformForBoot(root, storedPolicy(repository, root), times);
}

/** The SELinux policy of a tree whose contents are in the repository; undefined when it has none. */
export function storedPolicy(repository: Repository, root: DirectoryNode): SelinuxPolicy | undefined {
  return readSelinuxPolicy(root, (content) => readContent(repository, content));
}

function readContent(repository: Repository, content: FileContent): Uint8Array {
  if (content.type === "inline") return content.bytes;
  return content.objectId === undefined ? new Uint8Array(0) : repository.objects.read(content.objectId);
}
