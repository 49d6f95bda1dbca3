/** Random `/etc` trees that have much in common, and a second, flat merge of them that shares no code with the real one. */
import fc from "fast-check";
import { type ByteString, byteString, toHex } from "../../src/bytes/index.ts";
import {
  type DirectoryNode,
  type LeafNode,
  type Metadata,
  NO_XATTRS,
  newDirectory,
  newMetadata,
  type TreeNode,
  walkTree,
} from "../../src/tree/index.ts";

/** Few of everything, so that trees meet; one is not UTF-8, one has a line break, one sorts between "a" and "a/". */
const NAMES = ["a", "b", "a.\n", byteString(Buffer.of(0xff, 0x80))] as ByteString[];
const XATTRS = [NO_XATTRS, new Map([["user.\xfe" as ByteString, Buffer.of(0, 255)]])];

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function metadataOf(owners: readonly Owner[], modes: readonly number[]): fc.Arbitrary<Metadata> {
  return fc
    .record({ mode: fc.constantFrom(...modes), owner: fc.constantFrom(...owners), xattrs: fc.constantFrom(...XATTRS) })
    .map(({ mode, owner, xattrs }) => newMetadata({ mode, ...owner, xattrs }));
}

/** @param owners whom files may belong to; devices are made by root alone */
function treeOf(owners: readonly Owner[], withDevices: boolean): fc.Arbitrary<DirectoryNode> {
  const bare = fc.constantFrom(...owners).map((owner) => newMetadata({ mode: 0o777, ...owner }));
  const own = fc.constantFrom(...owners).map((owner) => newMetadata({ mode: 0o640, ...owner }));
  const leaf: fc.Arbitrary<LeafNode> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("file" as const),
        metadata: metadataOf(owners, [0o644, 0o600]),
        content: fc
          .constantFrom("", "x", "y", "z")
          .map((text) => ({ type: "inline" as const, bytes: Buffer.from(text) })),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("symlink" as const),
        metadata: bare,
        target: fc.constantFrom("a", "../../..", "/") as fc.Arbitrary<ByteString>,
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("fifo" as const, "socket" as const), metadata: own }) },
    ...(withDevices
      ? [
          fc.record({
            kind: fc.constantFrom("character-device" as const, "block-device" as const),
            metadata: own,
            rdev: fc.constantFrom(0x103, 0x10fe01),
          }),
        ]
      : []),
  );
  return fc.letrec<{ directory: DirectoryNode; node: TreeNode }>((tie) => ({
    directory: fc
      .tuple(metadataOf(owners, [0o755, 0o700]), fc.array(fc.tuple(fc.constantFrom(...NAMES), tie("node"))))
      .map(([metadata, entries]) => {
        const directory = newDirectory(metadata);
        for (const [name, node] of entries) directory.entries.set(name, node as TreeNode);
        return directory;
      }),
    node: fc.oneof({ maxDepth: 3 }, { weight: 2, arbitrary: leaf }, { weight: 2, arbitrary: tie("directory") }),
  })).directory;
}

export interface Etcs {
  readonly pristine: DirectoryNode;
  readonly current: DirectoryNode;
  readonly next: DirectoryNode;
}

/** Three trees; current and next are the pristine one with parts of another. */
export function randomEtcs(
  owners: readonly Owner[] = [
    { uid: 0, gid: 0 },
    { uid: 7, gid: 70_000 },
  ],
  withDevices = true,
): fc.Arbitrary<Etcs> {
  const tree = treeOf(owners, withDevices);
  const choice = fc.infiniteStream(fc.integer({ min: 0, max: 3 }));
  return fc.tuple(tree, tree, tree, choice, choice).map(([pristine, local, other, here, there]) => ({
    pristine,
    current: mixed(pristine, local, here),
    next: mixed(pristine, other, there),
  }));
}

/** Each name as in one tree or the other, or directories mixed in turn. */
function mixed(one: DirectoryNode, other: DirectoryNode, choice: Iterator<number>): DirectoryNode {
  const result = newDirectory({ ...(choice.next().value === 0 ? other : one).metadata });
  for (const name of new Set([...one.entries.keys(), ...other.entries.keys()])) {
    const [a, b] = [one.entries.get(name), other.entries.get(name)];
    const which = choice.next().value;
    const node =
      a?.kind === "directory" && b?.kind === "directory" && which > 0 ? mixed(a, b, choice) : which === 1 ? b : a;
    if (node !== undefined) result.entries.set(name, copyOf(node));
  }
  return result;
}

/** No two trees share a node. */
function copyOf(node: TreeNode): TreeNode {
  const metadata = { ...node.metadata };
  if (node.kind !== "directory") return { ...node, metadata };
  return { ...node, metadata, entries: new Map([...node.entries].map(([name, child]) => [name, copyOf(child)])) };
}

/**
 * The pristine tree as the live one counts as a copy of it: without `user.*` when no file that has one in the image has one
 * in the live tree, as bootc copies (spec/upstream-1.17.md).
 */
export function pristineOf({ pristine, current }: Etcs): DirectoryNode {
  const here = new Map([...walkTree(current)].map(({ node, path }) => [path, node.metadata.xattrs.size]));
  const hasAny = [...walkTree(pristine)].some(
    ({ node, path }) => node.metadata.xattrs.size > 0 && (here.get(path) ?? 0) > 0,
  );
  if (hasAny) return pristine;
  const bare = copyOf(pristine) as DirectoryNode;
  for (const { node } of walkTree(bare)) node.metadata.xattrs = NO_XATTRS;
  return bare;
}

/** What is at each path, in a line; the top directory is ".". */
export type Flat = Map<string, string>;

export function flat(root: DirectoryNode): Flat {
  return new Map(
    Array.from(walkTree(root), ({ node, path }) => [path === "/" ? "." : path.slice(1), describe(node)] as const),
  );
}

function describe(node: TreeNode): string {
  const { mode, uid, gid, xattrs } = node.metadata;
  const attributes = [...xattrs].map(([name, value]) => `${name}=${toHex(value)}`).sort();
  const content = node.kind === "file" && node.content.type === "inline" ? toHex(node.content.bytes) : "";
  const rest = node.kind === "symlink" ? node.target : "rdev" in node ? node.rdev : content;
  return [node.kind, mode.toString(8), uid, gid, ...attributes, rest].join(" ");
}

const isDirectory = (line: string | undefined) => line?.startsWith("directory") === true;
const isBelow = (path: string, place: string) => path.startsWith(`${place}/`);
const parentsOf = (path: string) => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index));

/** What the rules of spec/host-lifecycle.md 7 say of three flat trees. */
export function flatMerge(p: Flat, c: Flat, n: Flat, conflictsTo: "host" | "image") {
  const changed = [...c.keys()].filter((path) => c.get(path) !== p.get(path));
  const listed = new Set(changed);
  for (const path of changed) {
    for (const parent of parentsOf(path)) if (!isDirectory(n.get(parent))) listed.add(parent);
  }
  const conflicts = [...listed].filter((path) => n.has(path) && isDirectory(c.get(path)) !== isDirectory(n.get(path)));
  const lost = conflictsTo === "image" ? conflicts : [];
  const result = new Map(n);
  const put = (path: string) => {
    if (!isDirectory(c.get(path)) || !isDirectory(result.get(path))) clear(result, path);
    result.set(path, c.get(path) ?? "");
  };
  const byDepth = [...listed].sort((a, b) => parentsOf(a).length - parentsOf(b).length);
  for (const path of byDepth) if (!lost.some((place) => path === place || isBelow(path, place))) put(path);
  for (const path of p.keys()) {
    // What went with a directory that is something else now was not removed by itself.
    const wasHere = parentsOf(path).every((parent) => !c.has(parent) || isDirectory(c.get(parent)));
    if (!c.has(path) && wasHere) clear(result, path);
  }
  return { listed, conflicts, result };
}

function clear(result: Flat, path: string): void {
  for (const each of [...result.keys()]) if (each === path || isBelow(each, path)) result.delete(each);
}
