/** The `/etc` of a deployment on the disk: a copy of the image's, or that with the changes of this host. */
import { closeSync, constants, lstatSync, openSync, renameSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { StepReporter } from "../events/index.ts";
import { renameExchange, syncDirectory, syncFileSystem, temporaryDirectory } from "../platform/index.ts";
import { fillDirectory, type Repository } from "../repository/index.ts";
import type { DirectoryNode } from "../tree/index.ts";
import { type EtcDiff, refuseEtcConflicts } from "./etc-diff.ts";
import { type MergedEtc, mergeEtcTrees } from "./etc-result.ts";
import { hideMissingNames } from "./etc-upper.ts";
import { etcDiffOf, LiveFiles, type ScannedEtc } from "./live-etc.ts";

/**
 * What a conflict leads to: `keep` has what is on this host, `theirs` what is in the image, `abort` is an error. Changes
 * that conflict with nothing are kept whatever the policy.
 */
export type EtcPolicy = "keep" | "theirs" | "abort";

export interface EtcMergeOptions {
  /** Holds the contents of `next`. */
  readonly repository: Repository;
  /** {@link etcOfImage} of the image that runs. */
  readonly pristine: DirectoryNode;
  /** The live directory, such as `/etc`. */
  readonly livePath: string;
  /** {@link etcOfImage} of the image that comes next. */
  readonly next: DirectoryNode;
  /** `state/deploy/<id>/etc` of the next deployment; what is there is replaced. Its parent must exist. */
  readonly targetPath: string;
  readonly policy: EtcPolicy;
  /** It is to be the upper layer of an overlay over the image's `/etc`. */
  readonly isUpperLayer?: boolean;
  readonly reporter?: StepReporter;
}

/** What is there is made anew when something changed in the live `/etc` meanwhile, so often. */
const ATTEMPTS = 3;

/**
 * Writes `/etc` of the next deployment: the new image's with the changes of this host, by the rules of
 * {@link diffEtc} and {@link mergeEtcTrees}.
 *
 * It grows under a hidden name beside its own, as {@link writeEtc} says: killed at any point, the old directory is there
 * or the new one, and a second run ends as the first would have.
 *
 * @returns what was merged
 * @throws SealrootError `conflict` by the policy `abort`, or when the live `/etc` does not stand still; as etcDiffOf() and
 *   fillDirectory()
 */
export async function mergeEtc(options: EtcMergeOptions): Promise<EtcDiff> {
  const { repository, livePath, pristine, next, reporter } = options;
  const { algorithm } = repository;
  const scan = () =>
    etcDiffOf(pristine, livePath, { algorithm, next, ...(reporter === undefined ? {} : { reporter }) });
  using live = new LiveFiles(livePath, algorithm);
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === ATTEMPTS;
    const scanned = await (isLast ? scan() : unlessChanged(scan));
    if (scanned === undefined) continue;
    const { diff, current } = scanned;
    if (options.policy === "abort") refuseEtcConflicts(diff);
    const merged = mergeEtcTrees(current, next, diff, options.policy === "theirs" ? "image" : "host");
    if (options.isUpperLayer === true) hideMissingNames(merged.root, next);
    live.hasChanged = false;
    try {
      await writeTree(options, merged, live);
      return diff;
    } catch (error) {
      if (isLast || !live.hasChanged) throw error;
    }
  }
}

/**
 * Writes `/etc` of a deployment as its image has it. What is at `targetPath` is replaced in one step by the complete
 * directory, which is durable before that and after it.
 *
 * @throws SealrootError as fillDirectory()
 */
export async function writeEtc(
  options: Pick<EtcMergeOptions, "repository" | "next" | "targetPath" | "reporter">,
): Promise<void> {
  await writeTree(options, { root: options.next, localFiles: new Map() });
}

async function unlessChanged(scan: () => Promise<ScannedEtc>): Promise<ScannedEtc | undefined> {
  try {
    return await scan();
  } catch (error) {
    // A file that changed while it was read, one that vanished after its name was.
    if (error instanceof SealrootError && (error.code === "conflict" || error.code === "not-found")) return undefined;
    throw error;
  }
}

/** Owners, modes, attributes, times, hard links, devices and pipes are those of the tree. */
async function writeTree(
  { repository, targetPath, reporter }: Pick<EtcMergeOptions, "repository" | "targetPath" | "reporter">,
  { root, localFiles }: MergedEtc,
  live?: LiveFiles,
): Promise<void> {
  const target = resolve(targetPath);
  const action = `Cannot write ${targetPath}`;
  try {
    using hidden = temporaryDirectory({ parent: dirname(target), purpose: "etc" });
    const rules = { sameOwner: true, xattrs: true, ...(reporter === undefined ? {} : { reporter }) };
    await fillDirectory(repository, root, hidden.path, rules, (node, fd) => {
      const path = localFiles.get(node);
      if (path === undefined || live === undefined) return false;
      live.copy(path, node.content, fd);
      return true;
    });
    syncFileSystemAt(hidden.path);
    if (lstatSync(target, { throwIfNoEntry: false }) === undefined) renameSync(hidden.path, target);
    else renameExchange(hidden.path, target);
    syncDirectory(dirname(target));
  } catch (error) {
    throw asSealrootError(error, action, { path: target });
  }
}

function syncFileSystemAt(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}
