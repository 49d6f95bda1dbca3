/** The tree that goes into an image's EROFS image: its merged layers, transformed, and made bootable (spec/oci.md 4 and 6). */
import { type ByteString, displayText } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import type { DirectoryNode } from "./node.ts";
import { type ContentReader, readSelinuxPolicy } from "./selinux-files.ts";
import { type BootTimes, transformForBoot, transformForBootBothWays } from "./transform-boot.ts";
import { transformForOci } from "./transform-oci.ts";

/** How the boot tree is made. Programs of different ages have different rules, which give different image ids. */
export interface BootRule {
  /** Whether `user.*` attributes stay. */
  readonly keepUserXattrs: boolean;
  readonly bootTimes: BootTimes;
}

/** How it is made by default. */
export const DEFAULT_BOOT_RULE: BootRule = { keepUserXattrs: false, bootTimes: "full" };

/** Turns merged layers, in place, into the tree of the plain image. */
export function composePlainTree(root: DirectoryNode, keepUserXattrs = DEFAULT_BOOT_RULE.keepUserXattrs): void {
  transformForOci(root, { keepUserXattrs });
}

/**
 * Turns merged layers, in place, into the boot tree. Everything that computes or checks the id of a bootable image gets
 * its tree from here.
 *
 * @param readContent gives the files of the SELinux policy, by which everything is labelled
 * @throws SealrootError `unsupported` for a tree that lacks what it needs
 */
export function composeBootTree(root: DirectoryNode, readContent: ContentReader, rule = DEFAULT_BOOT_RULE): void {
  composePlainTree(root, rule.keepUserXattrs);
  makeBootable(root, readContent, rule.bootTimes);
}

/** The second half of {@link composeBootTree}, for a tree that is already composed as a plain one. */
export function makeBootable(
  root: DirectoryNode,
  readContent: ContentReader,
  bootTimes = DEFAULT_BOOT_RULE.bootTimes,
): void {
  transformForBoot(root, readSelinuxPolicy(root, readContent), bootTimes);
}

/** As {@link makeBootable}, by each rule for the times in turn: the tree follows the rule yielded last. */
export function makeBootableBothWays(
  root: DirectoryNode,
  readContent: ContentReader,
): Generator<BootTimes, void, undefined> {
  return transformForBootBothWays(root, readSelinuxPolicy(root, readContent));
}

/**
 * Reads contents; the larger ones are objects.
 *
 * @param readObject the bytes of the object with this id
 * @returns throws SealrootError `corrupt` for a file whose content is not known
 */
export function contentReader(readObject: (objectId: string) => Uint8Array): ContentReader {
  return (content, path: ByteString) => {
    if (content.type === "inline") return content.bytes;
    if (content.objectId !== undefined) return readObject(content.objectId);
    const place = displayText(path);
    throw corrupt(`Cannot read ${place} in the image: its content is not known`, { path: place });
  };
}
