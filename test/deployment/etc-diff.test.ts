/** The rules of spec/host-lifecycle.md 7, one by one, and what is done here beyond them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../src/bytes/index.ts";
import { diffEtc, type EtcDiff, etcConflictText, refuseEtcConflicts } from "../../src/deployment/etc-diff.ts";
import { mergeEtcTrees } from "../../src/deployment/etc-result.ts";
import { etcOfImage } from "../../src/deployment/index.ts";
import { type DirectoryNode, type FileNode, type LeafNode, newMetadata, type TreeNode } from "../../src/tree/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { bytes, directory, file, names, symlink } from "../tree/build.ts";

type Entries = Record<string, TreeNode>;

const label = (text: string) => ({ xattrs: new Map([[bytes("security.selinux"), Buffer.from(text)]]) });
const user = (text: string) => ({ xattrs: new Map([[bytes("user.note"), Buffer.from(text)]]) });
const object = (text: string, algorithm: "sha256" | "sha512" = "sha512"): FileNode => ({
  kind: "file",
  metadata: newMetadata({ mode: 0o644 }),
  content: { type: "external", sizeBytes: text.length, objectId: verityDigest(Buffer.from(text), algorithm) },
});
const device = (rdev: number, kind: "character-device" | "block-device" = "character-device"): LeafNode => ({
  kind,
  rdev,
  metadata: newMetadata({ mode: 0o644 }),
});
const pipe = (kind: "fifo" | "socket" = "fifo"): LeafNode => ({ kind, metadata: newMetadata({ mode: 0o644 }) });
const late = <Node extends TreeNode>(node: Node): Node => {
  Object.assign(node.metadata, { mtimeSeconds: 77n, mtimeNanoseconds: 5 });
  return node;
};
const linked = (node: LeafNode, ...of: string[]): Entries => Object.fromEntries(of.map((name) => [name, node]));
const LONG = "a text of more than sixty-four bytes, which is not kept in the image itself";

/** Lists as they read: what is empty is left out. */
function shown(diff: EtcDiff): Record<string, readonly string[]> {
  const lists = { ...diff, conflicts: diff.conflicts.map(etcConflictText) };
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}

interface Rule {
  readonly rule: string;
  readonly pristine?: Entries | DirectoryNode;
  readonly current?: Entries | DirectoryNode;
  /** The same as `pristine` when absent. */
  readonly next?: Entries | DirectoryNode;
  readonly expected: Partial<Record<keyof EtcDiff, readonly string[]>>;
}

const tree = (entries: Entries | DirectoryNode = {}): DirectoryNode =>
  "entries" in entries && entries.entries instanceof Map ? (entries as DirectoryNode) : directory(entries as Entries);

const RULES: readonly Rule[] = [
  { rule: "nothing changed", pristine: { a: file("a") }, current: { a: file("a") }, expected: {} },
  {
    rule: "times do not count, of files, links and directories",
    pristine: { a: file("a"), d: directory({ l: symlink("t") }) },
    current: late(directory({ a: late(file("a")), d: late(directory({ l: late(symlink("t")) })) })),
    expected: {},
  },
  { rule: "content", pristine: { a: file("a") }, current: { a: file("b") }, expected: { modified: ["a"] } },
  { rule: "content of an object", pristine: { a: object(LONG) }, current: { a: object(LONG) }, expected: {} },
  {
    rule: "another object of the same size",
    pristine: { a: object(LONG) },
    current: { a: object(LONG.toUpperCase()) },
    expected: { modified: ["a"] },
  },
  {
    rule: "inline in one tree, an object in the other",
    pristine: { a: file(LONG) },
    current: { a: object(LONG) },
    expected: {},
  },
  {
    rule: "an object of SHA-256 in one, inline and different in the other",
    pristine: { a: object(LONG, "sha256") },
    current: { a: file(LONG.toUpperCase()) },
    expected: { modified: ["a"] },
  },
  {
    rule: "mode",
    pristine: { a: file("a") },
    current: { a: file("a", { mode: 0o600 }) },
    expected: { modified: ["a"] },
  },
  {
    rule: "set-id bits",
    pristine: { a: file("a") },
    current: { a: file("a", { mode: 0o4644 }) },
    expected: { modified: ["a"] },
  },
  { rule: "owner", pristine: { a: file("a") }, current: { a: file("a", { uid: 1 }) }, expected: { modified: ["a"] } },
  { rule: "group", pristine: { a: file("a") }, current: { a: file("a", { gid: 1 }) }, expected: { modified: ["a"] } },
  {
    rule: "an attribute more, less, or of another value",
    pristine: { less: file("", user("v")), more: file(), value: file("", user("v")) },
    current: { less: file(), more: file("", user("v")), value: file("", user("w")) },
    expected: { modified: ["less", "more", "value"] },
  },
  {
    rule: "the SELinux label counts",
    pristine: { a: file("", label("a")) },
    current: { a: file("", label("b")) },
    expected: { modified: ["a"] },
  },
  {
    rule: "a label is the same with the NUL that a kernel adds",
    pristine: { a: file("", label("a")) },
    current: { a: file("", label("a\0")) },
    expected: {},
  },
  {
    rule: "other attributes are compared to the last byte",
    pristine: { a: file("", user("a")) },
    current: { a: file("", user("a\0")) },
    expected: { modified: ["a"] },
  },
  {
    rule: "a link's target",
    pristine: { l: symlink("a") },
    current: { l: symlink("b") },
    expected: { modified: ["l"] },
  },
  {
    rule: "a link has no mode of its own",
    pristine: { l: { ...symlink("a"), metadata: newMetadata({ mode: 0o644 }) } },
    current: { l: symlink("a") },
    expected: {},
  },
  {
    rule: "a file became a link, a link a file",
    pristine: { a: file(), l: symlink("a") },
    current: { a: symlink("l"), l: file() },
    expected: { modified: ["a", "l"] },
  },
  {
    rule: "devices by kind and number, pipes and sockets by kind",
    pristine: { a: device(1), b: device(2), c: device(3), d: pipe(), e: pipe() },
    current: { a: device(1), b: device(0x102), c: device(3, "block-device"), d: pipe(), e: pipe("socket") },
    expected: { modified: ["b", "c", "e"] },
  },
  { rule: "a pipe in place of a file", pristine: { a: file() }, current: { a: pipe() }, expected: { modified: ["a"] } },
  {
    rule: "new files, links, devices and pipes",
    current: { d: device(1), f: file(), l: symlink("x"), p: pipe() },
    expected: { added: ["d", "f", "l", "p"] },
  },
  {
    rule: "a new directory and everything below it, also when it is empty",
    current: { d: directory({ e: directory(), f: file() }) },
    expected: { added: ["d", "d/e", "d/f"] },
  },
  {
    rule: "a directory's own metadata",
    pristine: { d: directory({ f: file() }) },
    current: { d: directory({ f: file() }, { mode: 0o700 }) },
    expected: { modified: ["d"] },
  },
  { rule: "the top directory's own metadata", current: directory({}, { mode: 0o700 }), expected: { modified: ["."] } },
  {
    rule: "the top directory's attributes, first on the list",
    pristine: { a: file("a") },
    current: directory({ a: file("b") }, user("v")),
    expected: { modified: [".", "a"] },
  },
  {
    rule: "a directory in place of a file is modified, what is in it added",
    pristine: { a: file() },
    current: { a: directory({ f: file() }) },
    expected: { modified: ["a"], added: ["a/f"], conflicts: ["Directory 'a' now defaults to a file in new etc"] },
  },
  {
    rule: "a file in place of a directory is modified, what was in it not removed",
    pristine: { a: directory({ f: file() }) },
    current: { a: symlink("b") },
    expected: { modified: ["a"], conflicts: ["File 'a' now defaults to a directory in new etc"] },
  },
  {
    rule: "removed files, and a directory as one item",
    pristine: { a: file(), d: directory({ e: directory({ f: file() }) }), k: directory({ x: file(), y: file() }) },
    current: { k: directory({ y: file() }) },
    expected: { removed: ["a", "d", "k/x"] },
  },
  {
    rule: "sorted by bytes, depth first",
    current: { "a.b": file(), a: directory({ z: file() }), B: file(), "\u00e9": file() },
    expected: { added: ["B", "a", "a/z", "a.b", bytes("\u00e9")] },
  },
  {
    rule: "a directory gone from the next image comes before what was added in it",
    pristine: { d: directory({ e: directory({ f: file() }) }) },
    current: { d: directory({ e: directory({ f: file(), g: file() }) }) },
    next: {},
    expected: { added: ["d", "d/e", "d/e/g"] },
  },
  {
    rule: "a directory gone from the next image comes before what was modified in it",
    pristine: { d: directory({ f: file() }) },
    current: { d: directory({ f: file("new") }) },
    next: {},
    expected: { modified: ["d", "d/f"] },
  },
  {
    rule: "with both, it is among the added, which come first",
    pristine: { d: directory({ f: file() }) },
    current: { d: directory({ f: file("new"), g: file() }) },
    next: {},
    expected: { added: ["d", "d/g"], modified: ["d/f"] },
  },
  {
    rule: "a gone directory that is modified itself is on one list only",
    pristine: { d: directory({ f: file() }) },
    current: { d: directory({ f: file(), g: file() }, { mode: 0o700 }) },
    next: {},
    expected: { added: ["d/g"], modified: ["d"] },
  },
  {
    rule: "an unchanged directory, or one with something removed, may go",
    pristine: { d: directory({ f: file() }), e: directory({ f: file(), g: file() }) },
    current: { d: directory({ f: file() }), e: directory({ f: file() }) },
    next: {},
    expected: { removed: ["e/g"] },
  },
  {
    rule: "a directory with changes that is a file in the next image",
    pristine: { d: directory({ f: file() }) },
    current: { d: directory({ f: file("new") }) },
    next: { d: file() },
    expected: { modified: ["d", "d/f"], conflicts: ["Directory 'd' now defaults to a file in new etc"] },
  },
  {
    rule: "a link in the next image is a file, too",
    pristine: { d: directory() },
    current: { d: directory({ f: file() }) },
    next: { d: symlink("/usr/share/d") },
    expected: { added: ["d", "d/f"], conflicts: ["Directory 'd' now defaults to a file in new etc"] },
  },
  {
    rule: "a modified file that is a directory in the next image",
    pristine: { f: file() },
    current: { f: file("new") },
    next: { f: directory() },
    expected: { modified: ["f"], conflicts: ["File 'f' now defaults to a directory in new etc"] },
  },
  {
    rule: "added here and there, as another kind",
    current: { a: file(), d: directory() },
    next: { a: directory(), d: file() },
    expected: {
      added: ["a", "d"],
      conflicts: ["File 'a' now defaults to a directory in new etc", "Directory 'd' now defaults to a file in new etc"],
    },
  },
  {
    rule: "both changed a file: no conflict",
    pristine: { a: file() },
    current: { a: file("b") },
    next: { a: file("c") },
    expected: { modified: ["a"] },
  },
  {
    rule: "an unchanged file may become a directory",
    pristine: { a: file() },
    current: { a: file() },
    next: { a: directory() },
    expected: {},
  },
  {
    rule: "names of one inode that was changed",
    pristine: linked(file("x"), "a", "b"),
    current: linked(file("y"), "a", "b"),
    expected: { modified: ["a", "b"] },
  },
  {
    rule: "two files that are one now, though nothing else changed",
    pristine: { a: file("x"), b: file("x"), c: file("x") },
    current: { ...linked(file("x"), "a", "c"), b: file("x") },
    expected: { modified: ["a", "c"] },
  },
  {
    rule: "one file that is two now: other tools copy without hard links",
    pristine: linked(file("x"), "a", "b"),
    current: { a: file("x"), b: file("x") },
    expected: {},
  },
  {
    rule: "a further name of a file that was not changed is added, and that is all",
    pristine: { a: file("x") },
    current: linked(file("x"), "a", "b"),
    expected: { added: ["b"] },
  },
];

for (const { rule, pristine, current, next, expected } of RULES) {
  test(`diffEtc(): ${rule}`, () => {
    const before = tree(pristine);
    assert.deepEqual(shown(diffEtc(before, tree(current), next === undefined ? before : tree(next))), expected);
  });
}

test("without a next image no conflicts are looked for, and no directory is gone", () => {
  const pristine = tree({ a: file(), d: directory({ f: file() }) });
  const current = tree({ a: directory(), d: directory({ f: file("new") }) });
  assert.deepEqual(shown(diffEtc(pristine, current)), { modified: ["a", "d/f"] });
});

test("names are bytes, in all lists and in the trees", () => {
  const odd = ["\xff\xfe", "new\nline", "tab\t", " "] as ByteString[];
  const withNames = (node: TreeNode) => {
    const root = directory();
    for (const name of odd) root.entries.set(name, node);
    return root;
  };
  const diff = diffEtc(directory(), withNames(directory({ f: file() })), directory());
  assert.deepEqual(
    diff.added,
    [" ", "new\nline", "tab\t", "\xff\xfe"].flatMap((name) => [name, `${name}/f`]),
  );
  assert.deepEqual(diffEtc(withNames(file()), directory()).removed, [" ", "new\nline", "tab\t", "\xff\xfe"]);
});

test("contents that cannot be compared are an error, not a difference", () => {
  const unknown: FileNode = { ...file(), content: { type: "external", sizeBytes: 75, objectId: undefined } };
  assert.throws(() => diffEtc(directory({ a: unknown }), directory({ a: object(LONG) })), {
    code: "corrupt",
    message: 'Cannot compare "a": the image does not say what its 75 bytes are',
  });
  assert.throws(() => diffEtc(directory({ a: object(LONG) }), directory({ a: object(LONG, "sha256") })), {
    code: "conflict",
    message: 'Cannot compare "a": its digests are of two algorithms',
  });
});

test("refuseEtcConflicts() names each", () => {
  const diff = diffEtc(directory(), directory({ a: file(), d: directory() }), directory({ a: directory(), d: file() }));
  assert.throws(() => refuseEtcConflicts(diff), {
    code: "conflict",
    message:
      "Cannot merge /etc: File 'a' now defaults to a directory in new etc; Directory 'd' now defaults to a file in new etc",
  });
  refuseEtcConflicts({ ...diff, conflicts: [] });
});

/** What is in a tree: kinds, paths, contents, targets. */
function contentsOf(root: DirectoryNode): string[] {
  const lookUp = (path: string) =>
    path.split("/").reduce<TreeNode>((node, name) => {
      const child = name === "" ? node : node.kind === "directory" ? node.entries.get(bytes(name)) : undefined;
      assert.ok(child !== undefined);
      return child;
    }, root);
  return names(root).map((line) => {
    const node = lookUp(line.slice(2));
    if (node.kind === "file" && node.content.type === "inline") return `${line} ${Buffer.from(node.content.bytes)}`;
    return node.kind === "symlink" ? `${line} -> ${node.target}` : line;
  });
}

function merged(p: Entries, c: Entries, n: Entries, conflictsTo: "host" | "image" = "host"): DirectoryNode {
  const [pristine, current, next] = [tree(p), tree(c), tree(n)];
  const before = contentsOf(next);
  const { root } = mergeEtcTrees(current, next, diffEtc(pristine, current, next), conflictsTo);
  assert.deepEqual(contentsOf(next), before, "the image's tree is left unchanged");
  return root;
}

test("a change of this host wins over the image's, everything else is the image's", () => {
  const result = merged(
    { both: file("p"), here: file("p"), there: file("p"), gone: file("p"), dropped: file("p"), kept: file("p") },
    { both: file("c"), here: file("c"), there: file("p"), dropped: file("p"), kept: file("c"), added: file("c") },
    { both: file("n"), here: file("p"), there: file("n"), gone: file("n"), new: file("n"), added: file("n") },
  );
  assert.deepEqual(contentsOf(result), ["f /added c", "f /both c", "f /here c", "f /kept c", "f /new n", "f /there n"]);
});

test("a directory removed here is gone with what the image has put into it", () => {
  const result = merged({ d: directory({ f: file() }) }, {}, { d: directory({ f: file(), g: file() }), e: file("e") });
  assert.deepEqual(contentsOf(result), ["f /e e"]);
});

test("a directory's metadata are replaced whole: old attributes go", () => {
  const pristine = directory({ d: directory({}, user("old")) });
  const current = directory({ d: late(directory({}, { mode: 0o700, uid: 5 })) }, { gid: 7 });
  const next = directory({ d: directory({ f: file("n") }, { ...user("next"), mode: 0o711 }) }, user("top"));
  const { root } = mergeEtcTrees(current, next, diffEtc(pristine, current, next), "host");
  const d = root.entries.get(bytes("d"));
  assert.ok(d?.kind === "directory");
  assert.deepEqual(d.metadata, newMetadata({ mode: 0o700, uid: 5, mtimeSeconds: 77n, mtimeNanoseconds: 5 }));
  assert.deepEqual([...d.entries.keys()], ["f"]);
  assert.deepEqual(root.metadata, newMetadata({ mode: 0o755, gid: 7 }));
});

test("on a conflict the host has it, or the image with all that is below", () => {
  const p = { d: directory({ f: file("p") }), f: file("p"), k: file("p") };
  const c = {
    d: directory({ f: file("c"), g: file("c") }),
    f: file("c"),
    k: directory({ x: directory({ y: file("c") }) }),
    ok: file("c"),
  };
  const n = { d: symlink("/"), f: directory({ z: file("n") }), k: file("n") };
  assert.deepEqual(contentsOf(merged(p, c, n, "host")), [
    ...["d /d", "f /d/f c", "f /d/g c", "f /f c", "d /k", "d /k/x", "f /k/x/y c", "f /ok c"],
  ]);
  assert.deepEqual(contentsOf(merged(p, c, n, "image")), ["s /d -> /", "d /f", "f /f/z n", "f /k n", "f /ok c"]);
});

test("names that share an inode here share it in the result", () => {
  const own = file("c");
  const result = merged({ a: file("p") }, { a: own, b: own, d: directory({ c: own }) }, { a: file("n"), b: file("n") });
  const d = result.entries.get(bytes("d"));
  assert.ok(d?.kind === "directory");
  assert.equal(result.entries.get(bytes("a")), own);
  assert.equal(result.entries.get(bytes("b")), own);
  assert.equal(d.entries.get(bytes("c")), own);
});

test("a further name of an unchanged file shares it while the image has not changed it, else keeps the content", () => {
  const own = file("p");
  const same = merged({ a: file("p") }, { a: own, b: own }, { a: late(file("p")) });
  assert.equal(same.entries.get(bytes("a")), same.entries.get(bytes("b")));
  assert.equal(same.entries.get(bytes("b"))?.metadata.mtimeSeconds, 77n);
  assert.deepEqual(contentsOf(merged({ a: file("p") }, { a: own, b: own }, { a: file("n") })), ["f /a n", "f /b p"]);
});

test("of a file with several names in the image, the one that was changed here is a file of its own", () => {
  const result = merged(linked(file("p"), "a", "b"), { a: file("c"), b: file("p") }, linked(file("n"), "a", "b", "c"));
  assert.deepEqual(contentsOf(result), ["f /a c", "f /b n", "f /c n"]);
  assert.equal(result.entries.get(bytes("b")), result.entries.get(bytes("c")));
});

test("etcOfImage() gives what a deployment starts with", () => {
  const hosts = file("h", label("l"));
  const image = directory({
    etc: directory({ ".updated": file(), hosts, d: directory({ ".updated": file("d") }), again: hosts }),
  });
  const etc = etcOfImage(
    image,
    new Map([
      [bytes("/etc/hosts"), user("v").xattrs],
      [bytes("/etc"), user("top").xattrs],
    ]),
  );
  assert.deepEqual(contentsOf(etc), ["f /again h", "d /d", "f /d/.updated d", "f /hosts h"]);
  const found = etc.entries.get(bytes("hosts"));
  assert.equal(found, etc.entries.get(bytes("again")));
  assert.deepEqual(found?.metadata.xattrs, new Map([...label("l").xattrs, ...user("v").xattrs]));
  assert.deepEqual(etc.metadata.xattrs, user("top").xattrs);
  assert.deepEqual(hosts.metadata.xattrs, label("l").xattrs, "the image's own tree is left unchanged");
  assert.deepEqual(names(etcOfImage(directory(), new Map())), []);
});
