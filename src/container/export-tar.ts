/** A root file system as a tar that an installer unpacks (bootc 1.17, container_export.rs; spec/host-build.md 1, "export"). */
import { createReadStream } from "node:fs";
import { type ByteString, byteStringOfText, displayText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { SelinuxPolicy } from "../selinux/index.ts";
import type { TarMember } from "../tar/index.ts";
import {
  type DirectoryNode,
  joinPath,
  LABEL_XATTR,
  readSelinuxPolicy,
  sortedNames,
  type TreeNode,
} from "../tree/index.ts";
import { findImageKernel } from "./image-kernel.ts";
import type { RootDirectory } from "./root-directory.ts";

export interface ExportOptions {
  /** Also the kernel and its initramfs as `/boot/vmlinuz-VERSION` and `/boot/initramfs-VERSION.img`. */
  readonly kernelInBoot: boolean;
  /** False: without labels. */
  readonly labels: boolean;
}

/** What only a machine that runs has; and `/sysroot/ostree`, which is bootc's. */
const SKIPPED: ReadonlySet<ByteString> = new Set(["/sysroot/ostree", "/tmp", "/var/tmp"].map(byteStringOfText));
/** Of the other attributes, those that a program needs to work. */
const CAPABILITY = byteStringOfText("security.capability");

/**
 * The members, in the order of their names: owners, modes, times and capabilities as they are, labels by the image's own
 * policy. What is mounted inside is left out, and so is the root itself.
 *
 * @throws SealrootError `unsupported` for a device, pipe or socket, and for a policy that cannot be read
 */
export function* exportMembers(directory: RootDirectory, options: ExportOptions): Generator<TarMember> {
  const policy = options.labels ? readSelinuxPolicy(directory.root, (_, path) => directory.readAt(path)) : undefined;
  const firstNames = new Map<string, ByteString>();
  yield* membersBelow(directory, directory.root, {
    path: "/" as ByteString,
    policyPath: "/" as ByteString,
    policy,
    firstNames,
  });
  if (options.kernelInBoot) yield* kernelMembers(directory);
}

interface Place {
  readonly path: ByteString;
  /** The path by which the policy knows it. */
  readonly policyPath: ByteString;
  readonly policy: SelinuxPolicy | undefined;
  /** Device and inode number to the first name. */
  readonly firstNames: Map<string, ByteString>;
}

function* membersBelow(directory: RootDirectory, node: DirectoryNode, place: Place): Generator<TarMember> {
  const { policy } = place;
  const { device } = directory.factsOf(directory.root);
  for (const name of sortedNames(node)) {
    const child = node.entries.get(name);
    const path = joinPath(place.path, name);
    if (child === undefined || SKIPPED.has(path)) continue;
    const written = joinPath(place.policyPath, name);
    const below = { ...place, path, policyPath: policy?.substitute(written) ?? written };
    yield memberOf(directory, child, below);
    if (child.kind === "directory" && directory.factsOf(child).device === device) {
      yield* membersBelow(directory, child, below);
    }
  }
}

function memberOf(
  directory: RootDirectory,
  node: TreeNode,
  { path, policyPath, policy, firstNames }: Place,
): TarMember {
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = node.metadata;
  const label = policy?.labelOf(policyPath, node.kind);
  const common = { path: path.slice(1) as ByteString, mode, uid, gid, mtimeSeconds, mtimeNanoseconds };
  const labels: [ByteString, Uint8Array][] = label === undefined ? [] : [[LABEL_XATTR, label]];
  switch (node.kind) {
    case "directory":
      return { header: { ...common, kind: "directory", xattrs: new Map(labels) } };
    case "symlink":
      return { header: { ...common, kind: "symlink", linkPath: node.target, xattrs: new Map(labels) } };
    case "file": {
      const { device, inode, linkCount, sizeBytes } = directory.factsOf(node);
      const key = `${device}:${inode}`;
      const first = firstNames.get(key);
      if (first !== undefined)
        return { header: { ...common, kind: "hardlink", linkPath: first.slice(1) as ByteString } };
      if (linkCount > 1n) firstNames.set(key, path);
      const capability = node.metadata.xattrs.get(CAPABILITY);
      const xattrs = new Map(capability === undefined ? labels : [...labels, [CAPABILITY, capability]]);
      return {
        header: { ...common, kind: "file", sizeBytes, xattrs },
        body: createReadStream(directory.placeOf(path)),
      };
    }
    default: {
      const shown = displayText(path);
      throw new SealrootError("unsupported", `Cannot export the root file system: Unsupported file type: ${shown}`, {
        path: shown,
        actual: node.kind,
        hint: "remove it from the image: the system makes its devices, pipes and sockets when it runs",
      });
    }
  }
}

/** For installers that look for the kernel there, such as Anaconda's liveimg. */
function* kernelMembers(directory: RootDirectory): Generator<TarMember> {
  const kernel = findImageKernel(directory);
  if (kernel === undefined) return;
  const owner = { uid: 0, gid: 0, mtimeSeconds: 0n };
  for (const path of ["boot", "boot/grub2"]) {
    yield { header: { ...owner, kind: "directory", path: byteStringOfText(path), mode: 0o755 } };
  }
  if (kernel.type !== "vmlinuz") return;
  const copies = [
    { from: kernel.path, to: `boot/vmlinuz-${kernel.version}` },
    { from: kernel.initramfsPath, to: `boot/initramfs-${kernel.version}.img` },
  ];
  for (const { from, to } of copies) {
    const found = from === undefined ? undefined : directory.files.resolve(from);
    if (found === undefined) continue;
    const { mode, uid, gid, mtimeSeconds } = found.node.metadata;
    const { sizeBytes } = directory.factsOf(found.node);
    yield {
      header: { kind: "file", path: byteStringOfText(to), mode, uid, gid, mtimeSeconds, sizeBytes },
      body: createReadStream(directory.placeOf(byteStringOfText(found.path))),
    };
  }
}
