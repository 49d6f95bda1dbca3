/** The boot images that may have been made of one OCI image: by which rules, and what each makes (spec/upstream-1.17.md 1, 2a). */
import type { ErofsLayout } from "../../erofs/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { type ErofsVersion, imageOfTree, type Repository } from "../../repository/index.ts";
import { type BootRule, type BootTimes, type DirectoryNode, makeBootableBothWays } from "../../tree/index.ts";
import { verityDigestOfPieces } from "../../verity/index.ts";
import type { LayeredConfig } from "../stored-image.ts";
import { diffHint } from "./diff-hint.ts";
import { imageTree, storedContents } from "./image-tree.ts";

/** The EROFS image of a tree that is booted, by what made it. */
export interface RecordedBootImage extends BootRule {
  readonly version: ErofsVersion;
  /** Its image id. */
  readonly id: string;
}

export interface BootImage extends RecordedBootImage {
  /** Puts it into the repository: only until the next one is asked for, which may change the tree. */
  readonly store: () => RecordedBootImage;
}

/**
 * Makes the boot images of an OCI image one after the other, in every version by every rule, the likely ones first:
 * rules of today before those of old, versions of the repository before others. Writes nothing but what is told to store
 * itself.
 *
 * @param plain the tree of the plain image, if available; it is changed
 * @throws SealrootError `unsupported` when the image cannot be made bootable
 */
export async function* bootImages(
  repository: Repository,
  config: LayeredConfig,
  plain?: DirectoryNode,
): AsyncGenerator<BootImage, void> {
  for await (const { layout, ...rule } of bootLayouts(repository, config, isOfItsOwn, plain)) {
    const made = { ...rule, id: verityDigestOfPieces(layout.pieces(), repository.algorithm) };
    yield { ...made, store: () => storeAs(made, repository, layout.pieces()) };
  }
}

/** A boot image that need not be written to know its id first. */
export interface LaidOutBootImage extends BootRule {
  readonly version: ErofsVersion;
  /** Until the next one is asked for, which may change the tree. */
  readonly layout: ErofsLayout;
}

/**
 * As {@link bootImages}, without their ids.
 *
 * @param isWanted rules and versions that it is about
 */
export async function* bootLayouts(
  repository: Repository,
  config: LayeredConfig,
  isWanted: (candidate: BootRule & Pick<BootImage, "version">) => boolean,
  plain?: DirectoryNode,
): AsyncGenerator<LaidOutBootImage, void> {
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
        yield { keepUserXattrs, bootTimes, version, layout: imageOfTree(root, algorithm, version) };
      }
    }
  }
}

function storeAs(made: RecordedBootImage, repository: Repository, pieces: Iterable<Uint8Array>): RecordedBootImage {
  if (repository.objects.ensurePieces(pieces) === made.id) return made;
  throw new Error(`boot image ${made.id} was stored when its tree had changed`);
}

/** Version 2 holds no nanoseconds: the older rule makes no image of its own there. */
function isOfItsOwn({ bootTimes, version }: Pick<BootImage, "bootTimes" | "version">): boolean {
  return bootTimes === "full" || version !== 2;
}

/**
 * The one boot image with this id, stored.
 *
 * @param reference names the image in the hint of an error
 * @throws SealrootError `conflict` when none of them has it
 */
export async function bootImageById(
  id: string,
  candidates: AsyncIterable<BootImage>,
  reference?: string,
): Promise<RecordedBootImage> {
  const tried: string[] = [];
  for await (const image of candidates) {
    if (image.id === id) return image.store();
    tried.push(describeBootImage(image));
  }
  throw new SealrootError("conflict", `Cannot make the boot image ${id}: the image's layers give others`, {
    expected: id,
    actual: `other images by every rule there is (${tried.join("; ")})`,
    hint:
      reference === undefined
        ? "the image was changed after this id was computed, or this is another image"
        : diffHint(id, reference),
  });
}

/** A rule in words, for messages: `version 1, user.* attributes kept`. */
export function describeBootImage({ version, keepUserXattrs, bootTimes }: Omit<RecordedBootImage, "id">): string {
  return [
    `version ${version}`,
    ...(keepUserXattrs ? ["user.* attributes kept"] : []),
    ...(bootTimes === "seconds" ? ["/boot and /sysroot with the seconds of /usr only (composefs before 0.9.3)"] : []),
  ].join(", ");
}
