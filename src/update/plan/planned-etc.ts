/** What becomes of `/etc`, and what the state directory of the new deployment takes. */

import { type EtcPolicy, etcDiffOf, formatOrigin, mergeEtcTrees, type Origin } from "../../deployment/index.ts";
import type { StepReporter } from "../../events/index.ts";
import { etcOfDeployment, type HostDeployment, type HostPlaces, keepsEtc } from "../../host/index.ts";
import type { Repository } from "../../repository/index.ts";
import { type DirectoryNode, walkTree } from "../../tree/index.ts";
import { dataBytes, fileSizes, roomOf } from "./room.ts";
import type { PlannedEtc, PlannedRoot, Room } from "./update-plan.ts";

export interface EtcQuestion {
  readonly places: HostPlaces;
  readonly booted: HostDeployment;
  /** The live directory. */
  readonly etcPath: string;
  /** As etcOfImage() gives it for the new image. */
  readonly next: DirectoryNode;
  readonly policy: EtcPolicy;
  readonly reporter: StepReporter;
}

export interface EtcAnswer {
  readonly etc: PlannedEtc;
  readonly merged: DirectoryNode;
}

const NOTHING_KEPT: PlannedEtc = { conflicts: [], kept: { added: 0, modified: 0, removed: 0 } };

/**
 * Compares the live `/etc` with the image's and merges them in memory. With conflicts and the policy `abort` the merged
 * tree is what `keep` would lead to; where changes end with the boot, it is the image's.
 *
 * @throws SealrootError as etcOfDeployment and etcDiffOf
 */
export async function planEtc(repository: Repository, question: EtcQuestion): Promise<EtcAnswer> {
  const { places, booted, etcPath, next, policy, reporter } = question;
  const imageId = places.booted?.imageId ?? booted.deploymentId;
  if (!keepsEtc(repository, imageId)) return { etc: NOTHING_KEPT, merged: next };
  const pristine = await etcOfDeployment(repository, booted.origin.manifestDigest, imageId);
  const { diff, current } = await etcDiffOf(pristine, etcPath, { algorithm: repository.algorithm, next, reporter });
  const { root: merged } = mergeEtcTrees(current, next, diff, policy === "theirs" ? "image" : "host");
  const kept = { added: diff.added.length, modified: diff.modified.length, removed: diff.removed.length };
  return { etc: { conflicts: diff.conflicts, kept }, merged };
}

/** The state directory with each of the trees as its `/etc`, and the origin file. */
export function stateRoom(
  staged: DirectoryNode,
  merged: DirectoryNode,
  origin: Origin,
  blockBytes: number,
): Exclude<PlannedRoot["state"], { readonly unknown: string }> {
  const originBytes = Buffer.byteLength(formatOrigin(origin));
  const room = (etc: DirectoryNode): Room => {
    const files = roomOf([...fileSizes(etc), originBytes], (sizeBytes) => dataBytes(sizeBytes, blockBytes));
    return { ...files, allottedBytes: files.allottedBytes + directoryBytes(etc, blockBytes) };
  };
  return { staged: room(staged), finalized: room(merged) };
}

/** Linux Documentation/filesystems/ext4/directory.rst: an entry is 8 bytes and its name, in steps of four. */
const DIRENT_BYTES = 8;
/** A longer target does not fit into the inode (ext4/ifork.rst). */
const SHORT_TARGET_BYTES = 59;

/** Of directories, among them the state directory, and of long links. */
function directoryBytes(root: DirectoryNode, blockBytes: number): number {
  let bytes = blockBytes;
  for (const { node } of walkTree(root)) {
    if (node.kind === "symlink" && node.target.length > SHORT_TARGET_BYTES) bytes += blockBytes;
    if (node.kind !== "directory") continue;
    const names = [...node.entries.keys()];
    const entries = names.reduce((sum, name) => sum + dataBytes(DIRENT_BYTES + name.length, 4), 2 * (DIRENT_BYTES + 4));
    bytes += dataBytes(entries, blockBytes);
  }
  return bytes;
}
