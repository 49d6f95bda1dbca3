import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { pullImage } from "../../src/imagestore/index.ts";
import { runTool, startTool, temporaryDirectory } from "../../src/platform/index.ts";
import { checkRepository, directoryTree, initRepository, openRepository } from "../../src/repository/index.ts";
import { run } from "../cli/run-verb.ts";
import { outOfLayer } from "../imagestore/layer-prefix.ts";
import { layeredImage, randomFiles } from "../imagestore/layered-image.ts";

const INSECURE = { protection: "insecure", algorithm: "sha256" } as const;
const ROOT = process.getuid?.() === 0;

/** Mounting the small file systems of these tests needs root; they run in CI, which has it. */
const skip = ROOT ? false : "mounting a small file system needs root";

async function withTmpfs(sizeBytes: number, work: (path: string) => Promise<void>): Promise<void> {
  using directory = temporaryDirectory();
  const path = join(directory.path, "small");
  mkdirSync(path);
  await runTool("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", path]);
  try {
    await work(path);
  } finally {
    await runTool("umount", [path]);
  }
}

function objectFiles(path: string): string[] {
  return readdirSync(join(path, "objects"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

test("a full disk is an error with a code, and nothing of the object is left", { skip }, async () => {
  await withTmpfs(2 << 20, async (path) => {
    using repository = (await initRepository(join(path, "repo"), INSECURE)).repository;
    const small = repository.objects.ensure(Buffer.from("small"));
    assert.throws(() => repository.objects.ensure(Buffer.alloc(4 << 20)), {
      code: "no-space",
      message: `Cannot write an object to ${path}/repo/objects: ENOSPC: no space left on device, write`,
    });
    const importer = repository.objects.importer();
    const large = importer.add(Buffer.alloc(4 << 20));
    await assert.rejects(importer.finish(), { code: "no-space" });
    await assert.rejects(large, { code: "no-space" });
    assert.deepEqual(objectFiles(repository.path), [small.slice(2)]);
    await runTool("mount", ["-o", "remount,size=16m", path]);
    repository.objects.ensure(Buffer.alloc(4 << 20));
    assert.deepEqual((await checkRepository(repository)).errors, []);
  });
});

test(
  "a disk that fills up during a pull is one error; nothing half done has a name, and there is no tag",
  { skip },
  async () => {
    using directory = temporaryDirectory();
    const layers = [0, 1, 2, 3, 4].map((index) => randomFiles(`f${index}`, index === 0 ? [1000] : [900_000, 600_000]));
    const image = await layeredImage(join(directory.path, "layout"), layers);
    await withTmpfs(4 << 20, async (path) => {
      using repository = (await initRepository(join(path, "repo"), INSECURE)).repository;
      const message = /^Cannot write an object to .*: ENOSPC: no space left on device, write$/;
      await assert.rejects(
        pullImage(repository, image.reference, { name: "x" }),
        outOfLayer({ code: "no-space", message }),
      );
      assert.deepEqual(repository.streams.references(), []);
      const named = repository.streams.entries().map(({ entry }) => entry);
      assert.ok(
        named.every((entry) => entry.startsWith("oci-layer-")) && named.length < layers.length,
        named.join(" "),
      );
      assert.deepEqual((await checkRepository(repository)).errors, []);
      await runTool("mount", ["-o", "remount,size=32m", path]);
      await pullImage(repository, image.reference, { name: "x" });
      assert.deepEqual((await checkRepository(repository)).errors, []);
    });
  },
);

test("a read-only file system can be read from, and writing says what it is", { skip }, async () => {
  await withTmpfs(4 << 20, async (path) => {
    const first = (await initRepository(join(path, "repo"), INSECURE)).repository;
    const objectId = first.objects.ensure(Buffer.from("content"));
    first.close();
    await runTool("mount", ["-o", "remount,ro", path]);
    using repository = await openRepository(join(path, "repo"));
    assert.equal(repository.objects.read(objectId).toString(), "content");
    const refusal = { code: "read-only", message: /^Cannot write to repository .*: EROFS: read-only file system/ };
    assert.throws(() => repository.objects.ensure(Buffer.from("more")), refusal);
    assert.throws(() => repository.streams.register([]), refusal);
    await assert.rejects(initRepository(join(path, "other"), INSECURE), { code: "read-only" });
    assert.deepEqual((await checkRepository(repository)).errors, []);
  });
});

test("a missing permission is told apart from a missing file", async () => {
  using directory = temporaryDirectory();
  chmodSync(directory.path, 0o755);
  const path = join(directory.path, "repo");
  (await initRepository(path, INSECURE)).repository.close();
  chmodSync(path, 0o500);
  const root = join(directory.path, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  writeFileSync(join(root, "usr", "secret"), "x".repeat(100), { mode: 0o000 });
  if (ROOT) process.seteuid?.(65534);
  try {
    if (ROOT) await assert.rejects(openRepository(path), { code: "no-access" });
    await assert.rejects(directoryTree(root, { algorithm: "sha256" }), {
      code: "no-access",
      message: `Cannot read a file of the directory: EACCES: permission denied, open '${join(root, "usr", "secret")}'`,
    });
  } finally {
    if (ROOT) process.seteuid?.(0);
    chmodSync(path, 0o700);
  }
});

test("a writer killed at any moment leaves a sound repository without temporaries", async () => {
  using directory = temporaryDirectory();
  (await initRepository(directory.path, INSECURE)).repository.close();
  const script = `
    import { openRepository } from ${JSON.stringify(new URL("../../src/repository/index.ts", import.meta.url).href)};
    const repository = await openRepository(${JSON.stringify(directory.path)});
    for (let round = 0; ; round++) {
      const importer = repository.objects.importer();
      const ids = [];
      for (let number = 0; number < 20; number++) {
        ids.push(importer.add(Buffer.alloc(1000 + number * 5000, process.pid + "-" + round + "-" + number)));
        ids.at(-1).then(() => console.log("stored"));
      }
      await importer.finish();
      repository.streams.register([{ entry: "round-" + (round % 3), objectId: await ids[0] }]);
    }
  `;
  let storedObjects = 0;
  for (const lifeLines of [1, 7, 45, 90]) {
    const writer = await startTool(process.execPath, ["--input-type=module", "-e", script]);
    for await (const chunk of writer.stdout ?? []) {
      storedObjects += String(chunk).split("stored").length - 1;
      if (storedObjects >= lifeLines) writer.kill("SIGKILL");
    }
    await writer.exited;
  }
  using repository = await openRepository(directory.path);
  const report = await checkRepository(repository);
  // The entries are no streams, so that reading them as such is the one complaint there may be.
  assert.deepEqual(
    report.errors.filter(({ kind }) => kind !== "stream-read-failed"),
    [],
  );
  assert.deepEqual(report.leftovers, []);
  assert.ok(report.objectsChecked >= storedObjects);
});

test("each refusal of a verb is exit code 1 and a sentence that names the place", { skip }, async () => {
  using directory = temporaryDirectory();
  const root = join(directory.path, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  writeFileSync(join(root, "usr", "large"), Buffer.alloc(4 << 20));
  await withTmpfs(2 << 20, async (path) => {
    const repo = join(path, "repo");
    const create = () => run("repo", "create-image", "--repo", repo, root, "name");
    const refused = (reason: string) => ({ exitCode: 1, out: "", err: `sealroot: ${reason}\n` });
    (await initRepository(repo, INSECURE)).repository.close();
    const full = `Cannot write an object to ${repo}/objects: ENOSPC: no space left on device, write`;
    assert.deepEqual(await create(), refused(`${full}\n  during:   hash files`));
    assert.deepEqual(readdirSync(repo).sort(), ["meta.json", "objects"]);
    await runTool("mount", ["-o", "remount,ro", path]);
    const readOnly = `Cannot write to repository ${repo}: EROFS: read-only file system, access '${repo}'`;
    assert.deepEqual(await create(), refused(readOnly));
    assert.deepEqual(await run("repo", "gc", "--repo", repo), refused(readOnly));
    assert.equal((await run("repo", "fsck", "--repo", repo)).exitCode, 0);
    process.seteuid?.(65534);
    try {
      const closed = `Cannot open repository ${repo}: EACCES: permission denied, open '${repo}'`;
      assert.deepEqual(await create(), refused(closed));
    } finally {
      process.seteuid?.(0);
    }
  });
});

test("foreign files in every part of a repository are named, stay, and disturb nothing", async () => {
  using directory = temporaryDirectory();
  const root = join(directory.path, "root");
  const repo = join(directory.path, "repo");
  mkdirSync(join(root, "usr"), { recursive: true });
  writeFileSync(join(root, "usr", "large"), "x".repeat(100));
  (await initRepository(repo, INSECURE)).repository.close();
  await run("repo", "create-image", "--repo", repo, root, "kept");
  const foreign = [
    "README",
    "bootc/storage",
    "objects/note",
    "objects/aa/note",
    "images/note",
    "images/refs/note",
    "streams/note",
  ];
  for (const path of foreign) {
    mkdirSync(join(repo, dirname(path)), { recursive: true });
    writeFileSync(join(repo, path), "somebody else's");
  }
  assert.deepEqual(await run("repo", "gc", "--repo", repo), {
    exitCode: 0,
    out: `Objects: 0 removed (0 bytes)
Skipped object-invalid-name: objects/note
Skipped object-invalid-name: objects/aa/note
Skipped entry-not-symlink: images/note
Skipped unexpected-file-type: images/refs/note
Skipped entry-not-symlink: streams/note
`,
    err: "",
  });
  for (const path of foreign) assert.equal(readFileSync(join(repo, path), "utf8"), "somebody else's");
  assert.equal((await run("repo", "cat-file", "--repo", repo, "kept", "usr/large")).out, "x".repeat(100));
  const checked = await run("repo", "fsck", "--repo", repo);
  assert.equal(checked.exitCode, 1);
  assert.match(checked.out, /^status: 4 error\(s\)$/m);
});
