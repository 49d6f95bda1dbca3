/** An image whose unpacked copy differs in what is planted. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import {
  applyLayerEntry,
  type DirectoryNode,
  formatDump,
  type LayerEntry,
  lookupPath,
  newDirectory,
  newMetadata,
  type TreeNode,
} from "../../src/tree/index.ts";
import { run } from "../cli/run-verb.ts";
import { imageOfTars } from "../imagestore/hand-made.ts";

const SECONDS = 1_700_000_000n;
const OWN = { uid: 0, gid: 0, mtimeSeconds: SECONDS, mtimeNanoseconds: 5 } as const;

export type Fields = Partial<TarMember["header"]>;

export function directory(path: string, fields: Fields = {}): TarMember {
  return { header: { ...OWN, mode: 0o755, kind: "directory", path: byteStringOfText(path), ...fields } };
}

export function file(path: string, content = "", fields: Fields = {}): TarMember {
  const body = Buffer.from(content);
  return {
    header: { ...OWN, mode: 0o644, kind: "file", path: byteStringOfText(path), sizeBytes: body.length, ...fields },
    body,
  };
}

export function symlink(path: string, target: string, fields: Fields = {}): TarMember {
  const linkPath = byteStringOfText(target);
  return { header: { ...OWN, mode: 0o777, kind: "symlink", path: byteStringOfText(path), linkPath, ...fields } };
}

export function hardLink(path: string, target: string): TarMember {
  const linkPath = byteStringOfText(target);
  return { header: { ...OWN, mode: 0o644, kind: "hardlink", path: byteStringOfText(path), linkPath } };
}

const CAPABILITY = Buffer.from("0100000200200000000000000000000000000000", "hex");

/** A system in one layer; the root itself is unlike /usr. */
export function base(): TarMember[] {
  return [
    directory(".", { mode: 0o700 }),
    directory("boot"),
    file("boot/loader.conf", "timeout 3\n"),
    directory("etc"),
    file("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
    file("etc/shadow", "root:*::\n", { mode: 0o640, gid: 42 }),
    directory("run"),
    directory("sysroot"),
    directory("usr"),
    directory("usr/bin"),
    file("usr/bin/ping", "ping", { mode: 0o755, xattrs: new Map([["security.capability" as ByteString, CAPABILITY]]) }),
    file("usr/bin/su", "su", { mode: 0o4755 }),
    symlink("usr/bin/sh", "dash"),
    file("usr/bin/perl", "perl", { mode: 0o755 }),
    hardLink("usr/bin/perl5", "usr/bin/perl"),
    directory("usr/lib"),
    directory("usr/lib/system"),
    file("usr/lib/system/a", "a"),
    directory("usr/lib/system-preset"),
    file("usr/lib/system-preset/b", "b"),
    directory("usr/share"),
    file("usr/share/caf\u00e9", "coffee"),
    file("usr/share/old", "old"),
  ];
}

/** The tree of layers, as the reference merges them. */
export function treeOfLayers(layers: readonly (readonly TarMember[])[]): DirectoryNode {
  const root = newDirectory();
  for (const { header, body } of layers.flat()) {
    const entry: LayerEntry =
      header.kind === "hardlink"
        ? { type: "hardlink", path: header.path, target: header.linkPath as ByteString }
        : { type: "inode", path: header.path, node: nodeOf(header, body) };
    applyLayerEntry(root, entry);
  }
  return root;
}

function nodeOf(header: TarMember["header"], body: TarMember["body"]): TreeNode {
  const metadata = newMetadata({ ...header, ...(header.xattrs && { xattrs: header.xattrs }) });
  if (header.kind === "directory") return newDirectory(metadata);
  if (header.kind === "symlink") return { kind: "symlink", metadata, target: header.linkPath as ByteString };
  return { kind: "file", metadata, content: { type: "inline", bytes: body as Uint8Array } };
}

/** A node of a tree that is there. */
export function at(root: DirectoryNode, path: string): TreeNode {
  const node = lookupPath(root, byteStringOfText(path));
  if (node === undefined) throw new Error(`${path} is not there`);
  return node;
}

export function folder(root: DirectoryNode, path: string): DirectoryNode {
  const node = at(root, path);
  if (node.kind !== "directory") throw new Error(`${path} is not a directory`);
  return node;
}

/** Moves a name inside of a tree. */
export function rename(root: DirectoryNode, from: string, to: string): void {
  const split = (path: string) => {
    const slash = path.lastIndexOf("/");
    return [path.slice(0, slash), byteStringOfText(path.slice(slash + 1))] as const;
  };
  const [[parent, name], [target, newName]] = [split(from), split(to)];
  folder(root, target).entries.set(newName, at(root, from));
  folder(root, parent).entries.delete(name);
}

export async function tarOf(members: readonly TarMember[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of writeTar(members)) parts.push(part);
  return Buffer.concat(parts);
}

export interface Planted {
  /** Above the base. */
  readonly layers?: readonly (readonly TarMember[])[];
  readonly commands?: readonly string[];
  /** Makes of the merged tree what was unpacked. */
  readonly unpacked: (root: DirectoryNode) => void;
  readonly options?: readonly string[];
}

/** What the verb says of the image (A) and what was unpacked (B): the lines about differences, and the exit code. */
export async function diffOf({ layers = [], commands = [], unpacked, options = [] }: Planted) {
  const scratch = mkdtempSync(join(tmpdir(), "sealroot-diff-"));
  try {
    const all = [base(), ...layers];
    const history = ["FROM scratch", ...commands].map((created_by) => ({ created_by }));
    const tars = await Promise.all(all.map(tarOf));
    const reference = imageOfTars(join(scratch, "image"), tars, { history });
    const root = treeOfLayers(all);
    unpacked(root);
    const dump = join(scratch, "unpacked.dump");
    writeFileSync(dump, formatDump(root));
    const { exitCode, out, err } = await run("diff", reference, dump, "--insecure-policy", ...options);
    const [, differences = "", ...rest] = out.split("\n\n");
    return { exitCode, err, lines: differences.split("\n"), rest: rest.join("\n\n"), out };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
