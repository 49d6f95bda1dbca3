/** SELinux labels of new files, by the policy that the deployment itself has in its `/etc`: the one its tools apply. */
import { type ByteString, byteStringOfText } from "../../bytes/index.ts";
import type { Ext4File, Ext4Tree } from "../../disk/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { LabelledKind, SelinuxPolicy } from "../../selinux/index.ts";
import { type DirectoryNode, newDirectory, newMetadata, readSelinuxPolicy, type TreeNode } from "../../tree/index.ts";
import { policyPath } from "../label-entries.ts";
import type { StatePlace, StateTree } from "./state-tree.ts";

/** The label of a new file, or none. */
export type LabelOf = (path: ByteString, kind: LabelledKind) => Uint8Array | undefined;

const POLICY_FOLDER = "/etc/selinux" as ByteString;
const FILE_MAX_BYTES = 1 << 26;
/** A policy has some hundred files. */
const FILES_MAX = 10_000;

/**
 * The labels of the deployment's policy: the image's own, with what was added on the host.
 * @throws SealrootError `corrupt` as readSelinuxPolicy
 */
export function stateLabels(tree: StateTree): LabelOf {
  const policy = readPolicy(tree);
  if (policy === undefined) return () => undefined;
  const known = new Map<string, ByteString>();
  return (path, kind) => policy.labelOf(policyPath(path.slice(1) as ByteString, policy, known), kind);
}

function readPolicy(tree: StateTree): SelinuxPolicy | undefined {
  const { place, missing } = tree.resolve(POLICY_FOLDER, false);
  if (missing.length > 0) return undefined;
  const [root, etc] = [newDirectory(), newDirectory()];
  root.entries.set(byteStringOfText("etc"), etc);
  const sources = new Map<ByteString, Ext4File>();
  etc.entries.set(byteStringOfText("selinux"), copyNode(tree, place, POLICY_FOLDER, sources));
  return readSelinuxPolicy(root, (content, path) =>
    content.type === "inline" ? content.bytes : contentOf(tree.disk, sources.get(path)),
  );
}

function contentOf({ reader }: Ext4Tree, file: Ext4File | undefined): Uint8Array {
  if (file === undefined) throw new Error("unreachable: every file of the tree was noted");
  return reader.bytes(file, FILE_MAX_BYTES);
}

/** The names only; contents are read when they are asked for. */
function copyNode(tree: StateTree, place: StatePlace, path: ByteString, sources: Map<ByteString, Ext4File>): TreeNode {
  if (place.of === "image") return place.node;
  const { file } = place;
  const metadata = newMetadata({ mode: file.mode & 0o7777 });
  if (file.kind === "symlink") return { kind: "symlink", metadata, target: tree.disk.reader.target(file) };
  if (file.kind !== "directory") {
    sources.set(path, file);
    if (sources.size > FILES_MAX) {
      throw new SealrootError(
        "unsupported",
        `Cannot read the SELinux policy: more than ${FILES_MAX} files in ${POLICY_FOLDER}`,
      );
    }
    const { sizeBytes } = file;
    if (file.kind !== "file") return { kind: "fifo", metadata };
    if (sizeBytes === 0) return { kind: "file", metadata, content: { type: "inline", bytes: new Uint8Array() } };
    return { kind: "file", metadata, content: { type: "external", sizeBytes, objectId: undefined } };
  }
  const node: DirectoryNode = newDirectory(metadata);
  for (const { name, place: child } of tree.list(place)) {
    node.entries.set(name, copyNode(tree, child, `${path}/${name}` as ByteString, sources));
  }
  return node;
}
