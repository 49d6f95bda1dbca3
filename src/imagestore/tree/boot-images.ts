/** The boot images that may have been made of one OCI image: by which rules, and what each makes (spec/upstream-1.17.md 1, 2a). */
import { SealrootError } from "../../errors/index.ts";
import { type ErofsVersion, imageOfTree, type Repository } from "../../repository/index.ts";
import { type BootRule, type BootTimes, type DirectoryNode, makeBootableBothWays } from "../../tree/index.ts";
import { verityDigest } from "../../verity/index.ts";
import type { LayeredConfig } from "../stored-image.ts";
import { imageTree, storedContents } from "./image-tree.ts";

/** The EROFS image of a tree that is booted. */
export interface BootImage extends BootRule {
  readonly version: ErofsVersion;
  /** Its image id. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/**
 * Makes the boot images of an OCI image one after the other, in every version by every rule, the likely ones first:
 * rules of today before those of old, versions of the repository before others. Writes nothing.
 *
 * @param plain the tree of the plain image, if it is at hand; it is changed
 * @param isWanted rules and versions that it is about, when not all that may make an image of their own
 * @throws SealrootError `unsupported` when the image cannot be made bootable
 */
export async function* bootImages(
  repository: Repository,
  config: LayeredConfig,
  plain?: DirectoryNode,
  isWanted: (candidate: BootRule & Pick<BootImage, "version">) => boolean = isOfItsOwn,
): AsyncGenerator<BootImage, void> {
  const { algorithm, formats } = repository;
  const versions = [...new Set<ErofsVersion>([formats.default, ...formats.extra, 1, 2])];
  for (const keepUserXattrs of [false, true]) {
    const wantedVersions = (bootTimes: BootTimes) =>
      versions.filter((version) => isWanted({ keepUserXattrs, bootTimes, version }));
    if (wantedVersions("full").length + wantedVersions("seconds").length === 0) continue;
    const isAtHand = plain !== undefined && !keepUserXattrs;
    const root = isAtHand ? plain : await imageTree(repository, config, { bootable: false, keepUserXattrs });
    for (const bootTimes of makeBootableBothWays(root, storedContents(repository))) {
      for (const version of wantedVersions(bootTimes)) {
        const bytes = imageOfTree(root, algorithm, version);
        yield { keepUserXattrs, bootTimes, version, bytes, id: verityDigest(bytes, algorithm) };
      }
    }
  }
}

/** Version 2 holds no nanoseconds: the older rule makes no image of its own there. */
function isOfItsOwn({ bootTimes, version }: Pick<BootImage, "bootTimes" | "version">): boolean {
  return bootTimes === "full" || version !== 2;
}

/**
 * The one boot image with this id.
 *
 * @throws SealrootError `conflict` when none of them has it
 */
export async function bootImageById(id: string, candidates: AsyncIterable<BootImage>): Promise<BootImage> {
  const tried: string[] = [];
  for await (const image of candidates) {
    if (image.id === id) return image;
    tried.push(describeBootImage(image));
  }
  throw new SealrootError("conflict", `Cannot make the boot image ${id}: the image's layers give others`, {
    expected: id,
    actual: `other images by every rule there is (${tried.join("; ")})`,
    hint: "the image was changed after this id was computed, or this is another image",
  });
}

/** A rule in words, for messages: `version 1, user.* attributes kept`. */
export function describeBootImage({ version, keepUserXattrs, bootTimes }: Omit<BootImage, "id" | "bytes">): string {
  return [
    `version ${version}`,
    ...(keepUserXattrs ? ["user.* attributes kept"] : []),
    ...(bootTimes === "seconds" ? ["/boot and /sysroot with the seconds of /usr only (composefs before 0.9.3)"] : []),
  ].join(", ");
}
