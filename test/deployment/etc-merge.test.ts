/** The merge of /etc on a disk: what it writes is the merged tree, whole, whatever the names and the links in the image. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { byteString } from "../../src/bytes/index.ts";
import { diffEtc } from "../../src/deployment/etc-diff.ts";
import { mergeEtcTrees } from "../../src/deployment/etc-result.ts";
import { etcDiffOf, mergeEtc, writeEtc } from "../../src/deployment/index.ts";
import { getXattr, setXattr, temporaryDirectory } from "../../src/platform/index.ts";
import {
  type ExtractOptions,
  extractTree,
  initRepository,
  type Repository,
  scanDirectory,
} from "../../src/repository/index.ts";
import { type DirectoryNode, firstTreeDifference, type LeafNode, newMetadata } from "../../src/tree/index.ts";
import { bytes, directory, file, symlink } from "../tree/build.ts";
import { ownTree } from "./etc-fault-trees.ts";
import { pristineOf, randomEtcs } from "./etc-trees.ts";

const ROOT = process.geteuid?.() === 0;
const NOBODY = 65534;
const WHOLE: ExtractOptions = { sameOwner: true, xattrs: true };
const OWN = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const LARGE = Buffer.alloc(3 << 20, "large ");

/** A repository, a live directory and a place for the result, in one directory. */
async function withPlaces(work: (places: Places) => Promise<void>): Promise<void> {
  using scratch = temporaryDirectory();
  const path = join(scratch.path, "repo");
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  const state = join(scratch.path, "state");
  mkdirSync(state);
  const livePath = join(scratch.path, "live");
  await work({ repository, scratch: scratch.path, livePath, state, targetPath: join(state, "etc") });
}

interface Places {
  readonly repository: Repository;
  readonly scratch: string;
  readonly livePath: string;
  readonly state: string;
  readonly targetPath: string;
}

async function scanned(path: string): Promise<DirectoryNode> {
  return (await scanDirectory(path, { algorithm: "sha256" })).root;
}

function object(repository: Repository, content: Buffer): LeafNode {
  const objectId = repository.objects.ensure(content);
  return { ...file("", OWN), content: { type: "external", sizeBytes: content.length, objectId } };
}

/** Merges random trees on the disk and compares what is there with the merged tree. */
async function checkRandomTrees(owners: readonly { uid: number; gid: number }[], withDevices: boolean): Promise<void> {
  await withPlaces(async ({ repository, scratch, state, targetPath }) => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(randomEtcs(owners, withDevices), async ({ pristine, current, next }) => {
        const livePath = join(scratch, `live-${run++}`);
        await extractTree(repository, current, livePath, WHOLE);
        const options = { repository, pristine, livePath, next, targetPath };
        const diff = diffEtc(pristineOf({ pristine, current, next }), current, next);
        assert.deepEqual(await mergeEtc({ ...options, policy: "keep" }), diff);
        const kept = mergeEtcTrees(current, next, diff, "host").root;
        assert.equal(firstTreeDifference(await scanned(targetPath), kept), undefined);
        await mergeEtc({ ...options, policy: "theirs" });
        const theirs = mergeEtcTrees(current, next, diff, "image").root;
        assert.equal(firstTreeDifference(await scanned(targetPath), theirs), undefined);
        assert.equal(firstTreeDifference(await scanned(livePath), current), undefined, "the live tree is as before");
        assert.deepEqual(readdirSync(state), ["etc"]);
      }),
      { numRuns: 40 },
    );
  });
}

test(
  "as root: owners, devices, all attributes; whatever was merged before is replaced",
  {
    skip: !ROOT && "needs root",
  },
  async () => {
    const owners = [
      { uid: 0, gid: 0 },
      { uid: 7, gid: 70_000 },
    ];
    await checkRandomTrees(owners, true);
  },
);

test("as an ordinary user, of his own files", async () => {
  if (!ROOT) return checkRandomTrees([OWN], false);
  const mask = process.umask(0o022);
  process.setegid?.(NOBODY);
  process.seteuid?.(NOBODY);
  try {
    await checkRandomTrees([{ uid: NOBODY, gid: NOBODY }], false);
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.umask(mask);
  }
});

test("content of every size, of the image and of the host; times of copied files with nanoseconds", async () => {
  await withPlaces(async ({ repository, livePath, targetPath }) => {
    const small = Buffer.alloc(100, "small ");
    const pristine = ownTree(directory({ large: object(repository, LARGE), same: object(repository, LARGE) }));
    const next = ownTree(directory({ large: object(repository, small), same: object(repository, small) }));
    await extractTree(repository, pristine, livePath, WHOLE);
    appendFileSync(join(livePath, "large"), "and more");
    writeFileSync(join(livePath, "inline"), "i");
    writeFileSync(join(livePath, "empty"), "");
    utimesSync(join(livePath, "large"), 1, 1234567.125);
    const policy = "abort";
    assert.deepEqual(await mergeEtc({ repository, pristine, livePath, next, targetPath, policy }), {
      added: ["empty", "inline"],
      modified: ["large"],
      removed: [],
      conflicts: [],
    });
    const content = (name: string) => readFileSync(join(targetPath, name));
    assert.ok(content("large").equals(Buffer.concat([LARGE, Buffer.from("and more")])));
    assert.equal(lstatSync(join(targetPath, "large"), { bigint: true }).mtimeNs, 1_234_567_125_000_000n);
    assert.ok(content("same").equals(small));
    assert.deepEqual([String(content("inline")), String(content("empty"))], ["i", ""]);
  });
});

test("no link in the new image leads anywhere: what goes below it takes its place, or is the image's", async () => {
  await withPlaces(async ({ repository, scratch, livePath, targetPath }) => {
    const outside = join(scratch, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "removed"), "stays");
    writeFileSync(join(outside, "modified"), "stays");
    const pristine = ownTree(directory({ d: directory({ modified: file("p"), removed: file("p") }), f: file("p") }));
    await extractTree(repository, pristine, livePath, WHOLE);
    writeFileSync(join(livePath, "d", "modified"), "host");
    writeFileSync(join(livePath, "d", "added"), "host");
    writeFileSync(join(livePath, "f"), "host");
    unlinkSync(join(livePath, "d", "removed"));
    const next = ownTree(directory({ d: symlink(outside), f: symlink(join(outside, "modified")), e: symlink("/etc") }));
    const options = { repository, pristine, livePath, next, targetPath };
    await mergeEtc({ ...options, policy: "keep" });
    assert.deepEqual(readdirSync(join(targetPath, "d")), ["added", "modified"]);
    assert.ok(lstatSync(join(targetPath, "f")).isFile());
    assert.equal(readFileSync(join(targetPath, "f"), "utf8"), "host");
    await mergeEtc({ ...options, policy: "theirs" });
    assert.equal(readlinkSync(join(targetPath, "d")), outside);
    assert.equal(readFileSync(join(targetPath, "f"), "utf8"), "host");
    const found = readdirSync(outside).map((name) => [name, readFileSync(join(outside, name), "utf8")]);
    assert.deepEqual(found, [
      ["modified", "stays"],
      ["removed", "stays"],
    ]);
  });
});

test("a link at the deployment's own place is replaced, not followed", async () => {
  await withPlaces(async ({ repository, scratch, state, targetPath }) => {
    const outside = join(scratch, "outside");
    mkdirSync(outside);
    symlinkSync(outside, targetPath);
    await writeEtc({ repository, next: ownTree(directory({ a: file("a") })), targetPath });
    assert.ok(lstatSync(targetPath).isDirectory());
    assert.deepEqual([readdirSync(targetPath), readdirSync(outside), readdirSync(state)], [["a"], [], ["etc"]]);
  });
});

test("a live file that became a link while the merge ran is not followed: it is looked at again", async () => {
  await withPlaces(async ({ repository, scratch, livePath, targetPath }) => {
    writeFileSync(join(scratch, "secret"), "secret");
    mkdirSync(livePath);
    writeFileSync(join(livePath, "a"), "host");
    const swap = () => {
      unlinkSync(join(livePath, "a"));
      symlinkSync(join(scratch, "secret"), join(livePath, "a"));
    };
    // The first report of the unpacking comes after the scan's.
    const pristine = ownTree(directory());
    const reporter = reporterThat(swap);
    const next = ownTree(directory({ "0": directory() }));
    await mergeEtc({ repository, pristine, livePath, next, targetPath, policy: "abort", reporter });
    assert.ok(lstatSync(join(targetPath, "a")).isSymbolicLink());
    assert.equal(readlinkSync(join(targetPath, "a")), join(scratch, "secret"));
  });
});

test("a live file that never stands still is an error after three attempts, and nothing is changed", async () => {
  await withPlaces(async ({ repository, livePath, state, targetPath }) => {
    mkdirSync(livePath);
    writeFileSync(join(livePath, "busy"), "b");
    const before = ownTree(directory({ old: file("old") }));
    await writeEtc({ repository, next: before, targetPath });
    let changes = 0;
    const reporter = reporterThat(() => {
      appendFileSync(join(livePath, "busy"), "b");
      changes++;
    }, Number.POSITIVE_INFINITY);
    const pristine = ownTree(directory());
    const next = ownTree(directory({ "0": directory() }));
    await assert.rejects(mergeEtc({ repository, pristine, livePath, next, targetPath, policy: "abort", reporter }), {
      code: "conflict",
      message: `Cannot extract "/busy": Cannot copy "${livePath}/busy": it changed while /etc was merged`,
    });
    assert.equal(changes, 3);
    assert.deepEqual([readdirSync(state), readdirSync(targetPath)], [["etc"], ["old"]]);
  });
});

/** Does something each time that the first name of a new directory has been made, which is after the scan. */
function reporterThat(act: () => void, times = 1) {
  let last = 0;
  let restarts = 0;
  const nothing = () => {};
  const progress = (done: number) => {
    // Scanning and unpacking take turns, and each begins to count anew.
    if (done <= last && ++restarts % 2 === 1 && restarts < 2 * times) act();
    last = done;
  };
  return { progress, status: nothing, subtask: nothing, info: nothing, warn: nothing };
}

test("abort: a conflict is an error, and nothing is changed", async () => {
  await withPlaces(async ({ repository, livePath, state, targetPath }) => {
    await extractTree(repository, ownTree(directory({ a: directory() })), livePath, WHOLE);
    const next = ownTree(directory({ a: file("n") }));
    await writeEtc({ repository, next, targetPath });
    const before = statSync(targetPath).ino;
    const options = { repository, pristine: ownTree(directory()), livePath, next, targetPath };
    await assert.rejects(mergeEtc({ ...options, policy: "abort" }), {
      code: "conflict",
      message: "Cannot merge /etc: Directory 'a' now defaults to a file in new etc",
    });
    assert.deepEqual([readdirSync(state), statSync(targetPath).ino], [["etc"], before]);
    assert.equal(firstTreeDifference(await scanned(targetPath), next), undefined);
  });
});

test("the stamp .updated of the running system is not a change and is not copied", async () => {
  await withPlaces(async ({ repository, livePath, targetPath }) => {
    const pristine = ownTree(directory({ a: file("a") }));
    await extractTree(repository, pristine, livePath, WHOLE);
    const { mtime } = statSync(livePath);
    writeFileSync(join(livePath, ".updated"), "");
    utimesSync(livePath, mtime, mtime);
    const none = { added: [], modified: [], removed: [], conflicts: [] };
    assert.deepEqual((await etcDiffOf(pristine, livePath, { algorithm: "sha256" })).diff, none);
    await mergeEtc({ repository, pristine, livePath, next: pristine, targetPath, policy: "abort" });
    assert.deepEqual(readdirSync(targetPath), ["a"]);
  });
});

test("old attributes of a directory that was changed here do not stay", async () => {
  await withPlaces(async ({ repository, livePath, targetPath }) => {
    const noted = (text: string) => ({ xattrs: new Map([[bytes("user.note"), Buffer.from(text)]]) });
    const pristine = ownTree(directory({ d: directory({}, noted("p")) }));
    await extractTree(repository, ownTree(directory({ d: directory() })), livePath, WHOLE);
    setXattr(join(livePath, "d"), bytes("user.own"), Buffer.from("own"));
    const next = ownTree(directory({ d: directory({ f: file("n") }, noted("n")) }));
    await mergeEtc({ repository, pristine, livePath, next, targetPath, policy: "abort" });
    const own = getXattr(join(targetPath, "d"), bytes("user.own"));
    assert.deepEqual(
      [getXattr(join(targetPath, "d"), bytes("user.note")), own && String(Buffer.from(own))],
      [undefined, "own"],
    );
    assert.deepEqual(readdirSync(join(targetPath, "d")), ["f"]);
  });
});

test("names that are not UTF-8, with line breaks, and of 255 bytes", async () => {
  await withPlaces(async ({ repository, livePath, targetPath }) => {
    const odd = [Buffer.of(0xff, 0xfe), Buffer.from("new\nline"), Buffer.alloc(255, 0xe9), Buffer.from("-rf *")];
    const at = (...names: Buffer[]) =>
      Buffer.concat([Buffer.from(livePath), ...names.flatMap((name) => [Buffer.from("/"), name])]);
    await extractTree(repository, ownTree(directory()), livePath, WHOLE);
    for (const name of odd) {
      mkdirSync(at(name));
      writeFileSync(at(name, name), name);
    }
    const pristine = ownTree(directory());
    const diff = await mergeEtc({ repository, pristine, livePath, next: pristine, targetPath, policy: "abort" });
    const sorted = odd.map((name) => byteString(name)).sort();
    assert.deepEqual(
      diff.added,
      sorted.flatMap((name) => [name, `${name}/${name}`]),
    );
    assert.equal(
      firstTreeDifference(await scanned(targetPath), withTimes(await scanned(livePath), pristine)),
      undefined,
    );
    await mergeEtc({ repository, pristine, livePath, next: pristine, targetPath, policy: "abort" });
  });
});

/** The top directory was not changed here, so its time is the image's. */
function withTimes(root: DirectoryNode, { metadata }: DirectoryNode): DirectoryNode {
  const { mtimeSeconds, mtimeNanoseconds } = metadata;
  return { ...root, metadata: newMetadata({ ...root.metadata, mtimeSeconds, mtimeNanoseconds }) };
}

test("what is missing is named: the live directory, the deployment's, an object", async () => {
  await withPlaces(async ({ repository, scratch, livePath, state, targetPath }) => {
    const empty = ownTree(directory());
    const options = { repository, pristine: empty, livePath, next: empty, targetPath, policy: "keep" as const };
    await assert.rejects(mergeEtc(options), { code: "not-found", message: /^Cannot read .*\/live: ENOENT/ });
    mkdirSync(livePath);
    const nowhere = join(scratch, "no", "etc");
    await assert.rejects(mergeEtc({ ...options, targetPath: nowhere }), {
      code: "not-found",
      message: /^Cannot write .*\/no\/etc: ENOENT/,
    });
    const lost = object(repository, LARGE);
    assert.ok(lost.kind === "file" && lost.content.type === "external" && lost.content.objectId !== undefined);
    rmSync(repository.objects.path(lost.content.objectId));
    await assert.rejects(mergeEtc({ ...options, next: ownTree(directory({ lost })) }), {
      code: "not-found",
      message: `Cannot extract "/lost": Cannot read object ${lost.content.objectId}: it is not in the repository`,
    });
    assert.deepEqual(readdirSync(state), []);
    assert.ok(!existsSync(targetPath));
  });
});
