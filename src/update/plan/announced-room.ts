/** What an image will take of the repository, as far as tables of contents tell: a bound. */

import type { OpenedImage } from "../../images/index.ts";
import type { AnnouncedPull } from "../../imagestore/index.ts";
import { type ErofsVersion, imageOfTree, type Repository } from "../../repository/index.ts";
import {
  cloneTree,
  composePlainTree,
  DEFAULT_BOOT_RULE,
  type DirectoryNode,
  INLINE_CONTENT_MAX_BYTES,
  walkTree,
} from "../../tree/index.ts";
import { roomOf, verityFileBytes } from "./room.ts";
import type { Room } from "./update-plan.ts";

/** A split stream's header, and what zstd adds to what it cannot compress (RFC 8878, 3.1.1.2.4: 3 bytes a block). */
const STREAM_BYTES = 64 << 10;
/** An object id in a stream, with what leads to it. */
const REFERENCE_BYTES = 160;
/** What a label of SELinux takes in an EROFS image. */
const LABEL_BYTES = 160;
/** Boot images that a UKI may name, one of each version. */
const BOOT_IMAGES = 2;

/**
 * Files, streams, EROFS images and documents that a pull stores at most; fewer when some are there from elsewhere. Takes
 * them for verity files of ext4, whether or not they are.
 *
 * @throws SealrootError for a tree of which no image can be made
 */
export function announcedRoom(
  repository: Repository,
  image: Pick<OpenedImage, "manifest" | "manifestBytes" | "configBytes">,
  pull: AnnouncedPull,
  tree: DirectoryNode,
  blockBytes: number,
): Room {
  const documents = [image.manifestBytes.length, image.configBytes.length];
  const references = REFERENCE_BYTES * (image.manifest.layers.length + 8);
  return roomOf(
    [
      ...[...pull.missing.values()].map(({ sizeBytes }) => sizeBytes).filter((size) => size > INLINE_CONTENT_MAX_BYTES),
      ...pull.layers.filter(({ source }) => source === "parts").map(streamBytes),
      ...imagesBytes(repository, tree),
      ...documents,
      ...documents.map(() => STREAM_BYTES + references),
    ],
    (sizeBytes) => verityFileBytes(sizeBytes, repository.algorithm, blockBytes),
    "at-most",
  );
}

function streamBytes({ headersBytes, entries = [] }: AnnouncedPull["layers"][number]): number {
  return STREAM_BYTES + headersBytes + entries.length * REFERENCE_BYTES + (headersBytes >> 8);
}

/** The plain images as they will be, and boot images: the same with labels. */
function imagesBytes(repository: Repository, tree: DirectoryNode): number[] {
  const root = cloneTree(tree);
  composePlainTree(root, DEFAULT_BOOT_RULE.keepUserXattrs);
  let inodes = 0;
  for (const _ of walkTree(root)) inodes += 1;
  const { algorithm, formats } = repository;
  const size = (version: ErofsVersion) => imageOfTree(root, algorithm, version).sizeBytes;
  const plain = [formats.default, ...formats.extra].map(size);
  const largest = Math.max(size(1), size(2)) + STREAM_BYTES + inodes * LABEL_BYTES;
  return [...plain, ...Array.from({ length: BOOT_IMAGES }, () => largest)];
}
