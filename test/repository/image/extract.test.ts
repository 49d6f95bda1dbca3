/** Extraction: the tree that comes out is the tree of the image, and nothing half-made stays under its name. */
import assert from "node:assert/strict";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runTool, temporaryDirectory } from "../../../src/platform/index.ts";
import { extractTree, initRepository, type Repository, scanDirectory } from "../../../src/repository/index.ts";
import { type DirectoryNode, formatDump, type LeafNode, newMetadata, type TreeNode } from "../../../src/tree/index.ts";
import { bytes, directory, file, symlink } from "../../tree/build.ts";

const ROOT = process.geteuid?.() === 0;
const ORDINARY = 65534;
const EVERYTHING = { sameOwner: true, xattrs: true };
const LARGE = Buffer.alloc(200_000, "large ");

async function newRepository(path: string): Promise<Repository> {
  return (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
}

function object(repository: Repository, content: Buffer): LeafNode {
  const objectId = repository.objects.ensure(content);
  return { ...file("", { mtimeSeconds: -5n }), content: { type: "external", sizeBytes: content.length, objectId } };
}

function special(kind: "fifo" | "socket", mode: number): LeafNode {
  return { kind, metadata: newMetadata({ mode }) };
}

function device(kind: "character-device" | "block-device", rdev: number): LeafNode {
  return { kind, rdev, metadata: newMetadata({ mode: 0o660, gid: 5 }) };
}

/** Sets the owner of every inode of a tree that has none yet. */
function owned(root: DirectoryNode, id: number): DirectoryNode {
  const pending: TreeNode[] = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    Object.assign(node.metadata, { uid: node.metadata.uid || id, gid: node.metadata.gid || id });
    if (node.kind === "directory") pending.push(...node.entries.values());
  }
  return root;
}

/** What an ordinary user can make: every such kind, odd names, closed directories, times with nanoseconds. */
function ordinaryTree(repository: Repository): DirectoryNode {
  const linked = object(repository, Buffer.from("hard linked".repeat(10)));
  const dangling = symlink("../../../outside");
  dangling.metadata.mtimeNanoseconds = 123_456_789;
  const user = new Map([[bytes("user.\xff"), Buffer.from([0, 255, 10])]]);
  return directory(
    {
      closed: directory({ "read-only": file("x", { mode: 0o400, xattrs: user }) }, { mode: 0o500, mtimeSeconds: 77n }),
      nothing: directory({ deep: directory({ a: file() }, { mode: 0 }) }, { mode: 0o2710, mtimeSeconds: 2n ** 33n }),
      large: object(repository, LARGE),
      linked,
      again: linked,
      "new\nline \xff": file("inline"),
      dangling,
      dangling2: dangling,
      pipe: special("fifo", 0o620),
      socket: special("socket", 0o777),
    },
    { mode: 0o755, mtimeSeconds: 1n, mtimeNanoseconds: 1, xattrs: user },
  );
}

async function dumpOf(path: string): Promise<string> {
  return Buffer.from(formatDump((await scanDirectory(path, { algorithm: "sha256" })).root)).toString();
}

function textOf(root: DirectoryNode): string {
  return Buffer.from(formatDump(root)).toString();
}

test(
  "as root the tree comes out whole: owners, devices, attributes of all kinds",
  { skip: !ROOT && "needs root" },
  async () => {
    using scratch = temporaryDirectory();
    using repository = await newRepository(join(scratch.path, "repo"));
    const root = ordinaryTree(repository);
    root.entries.set(bytes("null"), device("character-device", 0x103));
    root.entries.set(bytes("disk"), device("block-device", 0x10fe01));
    const label = new Map([[bytes("trusted.t"), Buffer.from("v")]]);
    root.entries.set(bytes("set-id"), file("s", { mode: 0o6755, uid: 12, gid: 70_000, xattrs: label }));
    const target = join(scratch.path, "out");
    const parts = await extractTree(repository, root, target, EVERYTHING);
    assert.deepEqual(parts, { owners: 3, devices: 2, xattrs: 1 });
    assert.equal(await dumpOf(target), textOf(root));
    assert.deepEqual(readdirSync(scratch.path), ["out", "repo"]);
    assert.ok(readFileSync(join(target, "large")).equals(LARGE));
  },
);

test("an ordinary user gets everything of his own, and the rest is refused or left out", async () => {
  using scratch = temporaryDirectory();
  chmodSync(scratch.path, 0o777);
  const id = ROOT ? ORDINARY : (process.geteuid?.() ?? 0);
  const groupId = ROOT ? ORDINARY : (process.getegid?.() ?? 0);
  using repository = await newRepository(join(scratch.path, "repo"));
  chmodSync(repository.path, 0o755);
  const mine = owned(ordinaryTree(repository), id);
  const others = owned(ordinaryTree(repository), id);
  others.entries.set(bytes("disk"), device("block-device", 0x801));
  const label = new Map([
    [bytes("security.selinux"), Buffer.from("l\0")],
    [bytes("user.kept"), Buffer.from("k")],
  ]);
  others.entries.set(bytes("set-id"), file("s", { mode: 0o6755, uid: 12, gid: 34, xattrs: label }));
  if (ROOT) {
    process.setegid?.(groupId);
    process.seteuid?.(id);
  }
  try {
    await extractTree(repository, mine, join(scratch.path, "mine"), EVERYTHING);
    await assert.rejects(extractTree(repository, others, join(scratch.path, "others"), EVERYTHING), {
      code: "no-access",
      message:
        "Cannot extract everything as an ordinary user: root is needed for owners (2), devices (1), privileged attributes (1)",
    });
    assert.deepEqual(readdirSync(scratch.path), ["mine", "repo"]);
    await extractTree(repository, others, join(scratch.path, "others"), { sameOwner: false, xattrs: true });
  } finally {
    if (ROOT) {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
  }
  // Only root sees into closed directories.
  if (ROOT) assert.equal(await dumpOf(join(scratch.path, "mine")), textOf(mine));
  const setId = lstatSync(join(scratch.path, "others", "set-id"));
  assert.deepEqual([setId.mode & 0o7777, setId.uid], [0o755, id]);
  assert.ok(!readdirSync(join(scratch.path, "others")).includes("disk"));
  for (const name of ["mine", "others"]) await runTool("chmod", ["-R", "u+rwX", join(scratch.path, name)]);
});

test("an empty directory is filled; a full one, a file and a missing parent are refused", async () => {
  using scratch = temporaryDirectory();
  using repository = await newRepository(join(scratch.path, "repo"));
  const root = directory({ a: file("a") });
  const rules = { sameOwner: false, xattrs: true };
  const empty = join(scratch.path, "empty");
  mkdirSync(empty);
  await extractTree(repository, root, empty, rules);
  assert.equal(readFileSync(join(empty, "a"), "utf8"), "a");
  const occupied = (path: string) => ({
    code: "exists",
    message: `Cannot extract into ${path}: it is not an empty directory`,
  });
  await assert.rejects(extractTree(repository, root, empty, rules), occupied(empty));
  const ownFile = join(scratch.path, "file");
  writeFileSync(ownFile, "");
  await assert.rejects(extractTree(repository, root, ownFile, rules), occupied(ownFile));
  await assert.rejects(extractTree(repository, root, join(scratch.path, "no", "dir"), rules), {
    code: "not-found",
    message: /^Cannot extract into .*\/no\/dir: ENOENT/,
  });
});

test("nothing is left when an object is missing, damaged or of another length", async () => {
  using scratch = temporaryDirectory();
  using repository = await newRepository(join(scratch.path, "repo"));
  const target = join(scratch.path, "out");
  const large = object(repository, LARGE);
  assert.ok(large.kind === "file" && large.content.type === "external" && large.content.objectId !== undefined);
  const { objectId } = large.content;
  const attempt = async (content: LeafNode) => {
    const root = directory({ first: file("f"), z: directory({ content }) });
    return await extractTree(repository, root, target, { sameOwner: false, xattrs: true });
  };
  await assert.rejects(attempt({ ...large, content: { ...large.content, sizeBytes: 5 } }), {
    code: "corrupt",
    message: `Cannot extract "/z/content": the image says 5 bytes, the object ${objectId} has 200000`,
  });
  await assert.rejects(attempt({ ...large, content: { type: "external", sizeBytes: 5, objectId: undefined } }), {
    code: "corrupt",
    message: 'Cannot extract "/z/content": the image does not say what its content is',
  });
  rmSync(repository.objects.path(objectId));
  writeFileSync(repository.objects.path(objectId), Buffer.alloc(LARGE.length));
  await assert.rejects(attempt(large), {
    code: "corrupt",
    message: /^Cannot extract "\/z\/content": Cannot read object .*: its content has the digest [0-9a-f]{64}$/,
  });
  rmSync(repository.objects.path(objectId));
  await assert.rejects(attempt(large), {
    code: "not-found",
    message: `Cannot extract "/z/content": Cannot read object ${objectId}: it is not in the repository`,
  });
  assert.deepEqual(readdirSync(scratch.path), ["repo"]);
});

test("paths longer than the kernel takes come out whole", async () => {
  using scratch = temporaryDirectory();
  using repository = await newRepository(join(scratch.path, "repo"));
  const target = join(scratch.path, "out");
  let root = directory({ bottom: file("deep") });
  for (let depth = 0; depth < 30; depth++) root = directory({ ["d".repeat(200)]: root });
  await extractTree(repository, root, target, { sameOwner: false, xattrs: true });
  try {
    const { stdout } = await runTool("find", [target, "-name", "bottom", "-printf", "%d %s"]);
    assert.equal(stdout.toString(), "31 4");
  } finally {
    await runTool("rm", ["-r", target]);
  }
});

test("an attribute that the file system does not take is named, and can be left out", async () => {
  using scratch = temporaryDirectory();
  using repository = await newRepository(join(scratch.path, "repo"));
  const root = directory({ link: symlink("x") });
  const link = root.entries.get(bytes("link"));
  assert.ok(link !== undefined);
  link.metadata.xattrs = new Map([[bytes("user.a"), Buffer.from("v")]]);
  const target = join(scratch.path, "out");
  await assert.rejects(extractTree(repository, root, target, { sameOwner: false, xattrs: true }), {
    code: "no-access",
    message: 'Cannot extract "/link": Cannot set the attribute "user.a": EPERM: lsetxattr failed',
  });
  await extractTree(repository, root, target, { sameOwner: false, xattrs: false });
  assert.deepEqual(readdirSync(target), ["link"]);
});
