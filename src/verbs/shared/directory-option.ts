/** The arguments that verbs turning a directory into a tree have in common (spec/repository.md 10). */
import { runStep } from "../../events/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { DirectoryNode } from "../../tree/index.ts";
import type { VerityAlgorithm } from "../../verity/index.ts";
import { BOOTABLE_TIMES_OPTION, bootTimesOption } from "./boot-times-option.ts";
import type { Invocation, OptionSpecification } from "./command.ts";
import { keepsUserXattrs, XATTRS_OPTION } from "./xattrs-option.ts";

export const PLAIN_TREE_OPTION = {
  flags: "--no-propagate-usr-to-root",
  summary: "the tree unchanged, without the transform for OCI images",
} as const satisfies OptionSpecification;

export const DIRECTORY_OPTIONS = [
  { flags: "--bootable", summary: "the boot variant: /boot and /sysroot emptied, labelled by the image's own policy" },
  PLAIN_TREE_OPTION,
  XATTRS_OPTION,
  BOOTABLE_TIMES_OPTION,
] as const satisfies readonly OptionSpecification[];

/**
 * Scans the directory and transforms the tree as the options say.
 * @param repository stores the files as objects; without it nothing is stored
 */
export function directoryTreeFor(
  invocation: Invocation<typeof DIRECTORY_OPTIONS>,
  path: string,
  algorithm: VerityAlgorithm,
  repository?: { readonly store: Repository; readonly linkFiles: boolean },
): Promise<DirectoryNode> {
  const bootTimes = bootTimesOption(invocation);
  return runStep(invocation.events, "hash files", async (reporter) => {
    const { directoryTree } = await import("../../repository/index.ts");
    return directoryTree(path, {
      algorithm,
      reporter,
      ...(repository === undefined ? {} : { repository: repository.store, linkFiles: repository.linkFiles }),
      bootable: invocation.flag("bootable"),
      bootTimes,
      transform: !invocation.negated("propagate-usr-to-root"),
      keepUserXattrs: keepsUserXattrs(invocation),
    });
  });
}
