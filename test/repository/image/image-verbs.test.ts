/** The verbs about files of an image. Outputs are those of cfsctl 0.9.4 for the same tree. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writeErofs } from "../../../src/erofs/index.ts";
import { runTool, startTool, type TemporaryDirectory, temporaryDirectory } from "../../../src/platform/index.ts";
import { initRepository, openRepository } from "../../../src/repository/index.ts";
import type { DirectoryNode } from "../../../src/tree/index.ts";
import { run } from "../../cli/run-verb.ts";
import { bytes, directory, file, symlink } from "../../tree/build.ts";

const MAIN = new URL("../../../src/cli/main.ts", import.meta.url).pathname;
const BIG = "x".repeat(1000);
/** What `fsverity digest --hash-alg=sha256` says of it. */
const BIG_ID = "f5d05c512721494f2439a9cefc2ee8327ad7525208d60dd20bf486c8141fde83";
const BIG_PATH = `${BIG_ID.slice(0, 2)}/${BIG_ID.slice(2)}`;
const ROOT = process.geteuid?.() === 0;

interface Fixture extends Disposable {
  readonly directory: TemporaryDirectory;
  readonly repo: string;
  readonly imageId: string;
}

function exampleTree(objectId: string): DirectoryNode {
  const big = {
    ...file("", { mtimeSeconds: 7n, mtimeNanoseconds: 5 }),
    content: { type: "external" as const, sizeBytes: BIG.length, objectId },
  };
  return directory({
    etc: directory({
      small: file("small\n", { xattrs: new Map([[bytes("user.a"), Buffer.from("b=c")]]) }),
      empty: file(),
      "sp ace": file("s"),
      link: symlink("../usr/big"),
      loop: symlink("loop"),
    }),
    alias: symlink("etc"),
    usr: directory({ big, hard: big }),
  });
}

/** A repository with one image, named "my". */
async function fixture(): Promise<Fixture> {
  const scratch = temporaryDirectory();
  const repo = join(scratch.path, "repo");
  using repository = (await initRepository(repo, { protection: "insecure", algorithm: "sha256" })).repository;
  const objectId = repository.objects.ensure(Buffer.from(BIG));
  const image = writeErofs(exampleTree(objectId), { form: "v1", algorithm: "sha256" });
  const imageId = repository.registerImage(image, "my").objectId;
  return { directory: scratch, repo, imageId, [Symbol.dispose]: () => scratch.remove() };
}

test("repo dump-files prints parts of an image as cfsctl does", async () => {
  using at = await fixture();
  const dump = async (...words: string[]) => (await run("repo", "dump-files", "--repo", at.repo, ...words)).out;
  const small = "6 100644 1 0 0 0 0.0 - small\\n - user.a=b\\x3dc";
  assert.equal(await dump("my", "/etc/small"), `/etc/small ${small}\n`);
  assert.equal(
    await dump(at.imageId, "etc/./small", "/alias"),
    `etc/./small ${small}\n/alias 3 120777 1 0 0 0 0.0 etc - -\n`,
  );
  assert.equal(
    await dump("refs/my", "/etc/"),
    [
      "/etc/ 0 40755 2 0 0 0 0.0 - - -",
      "/etc/empty 0 100644 1 0 0 0 0.0 - - -",
      "/etc/link 10 120777 1 0 0 0 0.0 ../usr/big - -",
      "/etc/loop 4 120777 1 0 0 0 0.0 loop - -",
      `/etc/small ${small}`,
      "/etc/sp\\x20ace 1 100644 1 0 0 0 0.0 - s -",
      "",
    ].join("\n"),
  );
  const big = `1000 100644 2 0 0 0 7.5 ${BIG_PATH} - ${BIG_ID}`;
  assert.equal(await dump("my", "usr/hard", "/usr/big"), `usr/hard ${big}\n/usr/big ${big}\n`);
  assert.equal(
    await dump("my", "/usr"),
    `/usr 0 40755 2 0 0 0 0.0 - - -\n/usr/big ${big}\n/usr/hard 0 @120000 - - - - 0.0 /usr/big - -\n`,
  );
  assert.equal(await dump("my"), "");
  assert.match(await dump("my", "/"), /^\/ 0 40755 4 .*\n\/alias /);
});

test("repo dump-files --backing-path-only says where contents are", async () => {
  using at = await fixture();
  const dump = (...words: string[]) =>
    run("repo", "dump-files", "--repo", at.repo, "--backing-path-only", "my", ...words);
  assert.deepEqual(await dump("/usr/hard", "usr//big", "/etc/sp ace", "/alias"), {
    exitCode: 0,
    out: `/usr/hard ${BIG_PATH}\nusr//big ${BIG_PATH}\n/etc/sp ace inline\n/alias inline\n`,
    err: "",
  });
  for (const [path, reason] of [
    ["/etc", "Cannot print the backing path of /etc: it is a directory"],
    ["/nope", "Cannot find /nope in the image: there is no such path\n  symbolic links are not followed here"],
    [
      "/alias/small",
      "Cannot find /alias/small in the image: there is no such path\n  symbolic links are not followed here",
    ],
    ["/etc/../etc", 'Cannot use path "/etc/../etc": Invalid filename "/etc/.."'],
  ] as const) {
    assert.deepEqual(await dump("/etc/small", path), { exitCode: 1, out: "", err: `sealroot: ${reason}\n` });
  }
});

test("repo cat-file writes a file's bytes and follows links inside the image", async () => {
  using at = await fixture();
  const cat = (...words: string[]) => run("repo", "cat-file", "--repo", at.repo, ...words);
  for (const image of ["my", "refs/my", at.imageId]) {
    assert.deepEqual(await cat(image, "/alias/small"), { exitCode: 0, out: "small\n", err: "" });
  }
  assert.deepEqual(await cat("my", "etc/link"), { exitCode: 0, out: BIG, err: "" });
  for (const [words, reason] of [
    [["my", "/etc"], "Cannot read /etc in the image: it is a directory, not a regular file"],
    [["my", "/etc/nope"], "Cannot read /etc/nope in the image: there is no such file"],
    [["my", "/etc/loop"], 'Cannot resolve "/etc/loop": more than 40 symbolic links'],
    [
      ["absent", "/x"],
      "Cannot find image \"absent\": it is not an image's id, a reference or an OCI image's tag\n  sealroot repo images and sealroot image list show what there is",
    ],
  ] as const) {
    assert.deepEqual(await cat(...words), { exitCode: 1, out: "", err: `sealroot: ${reason}\n` });
  }
});

test("damage is found while reading: the content, the image, the image's link", async () => {
  using at = await fixture();
  const object = join(at.repo, "objects", BIG_PATH);
  rmSync(object);
  writeFileSync(object, `y${BIG.slice(1)}`);
  const other = "0".repeat(64);
  const cat = () => run("repo", "cat-file", "--repo", at.repo, "my", "/usr/big");
  const damaged = await cat();
  assert.equal(damaged.exitCode, 1);
  assert.match(
    damaged.err,
    new RegExp(`^sealroot: Cannot read object ${BIG_ID}: its content has the digest [0-9a-f]{64}\n`),
  );
  const link = join(at.repo, "images", at.imageId);
  renameSync(link, join(at.repo, "images", other));
  symlinkSync(`../${other}`, join(at.directory.path, "link"));
  renameSync(join(at.directory.path, "link"), join(at.repo, "images/refs/my"));
  assert.deepEqual(await cat(), {
    exitCode: 1,
    out: "",
    err: `sealroot: Cannot use images/${other}: the link leads to the object ${at.imageId}\n`,
  });
});

test("repo import-image takes a good image and refuses everything else", async () => {
  using at = await fixture();
  const importImage = (input: Uint8Array) =>
    runTool(process.execPath, [MAIN, "repo", "import-image", "--repo", at.repo, "a/copy"], {
      input,
      successCodes: [0, 1],
    });
  const form = { form: "v2", algorithm: "sha256" } as const;
  const good = await importImage(writeErofs(exampleTree(BIG_ID), form));
  assert.match(good.stdout.toString(), /^sha256:[0-9a-f]{64}\n$/);
  assert.equal((await run("repo", "cat-file", "--repo", at.repo, "a/copy", "/etc/small")).out, "small\n");
  const before = readdirSync(join(at.repo, "images"));
  for (const [image, reason] of [
    [Buffer.from("junk"), /^sealroot: Cannot read EROFS image: offset 0: 4 bytes are too few for an image\n$/],
    [
      writeErofs(exampleTree("a".repeat(64)), form),
      /^sealroot: Cannot import the image: 1 of its objects are not in the repository, the first is a{64}\n {2}store the files first: /,
    ],
    [
      writeErofs(exampleTree("a".repeat(128)), { form: "v1", algorithm: "sha512" }),
      /^sealroot: Cannot import the image: its objects have sha512 digests, those of the repository sha256\n$/,
    ],
  ] as const) {
    const refused = await importImage(image);
    assert.deepEqual([refused.exitCode, refused.stdout.toString()], [1, ""]);
    assert.match(refused.stderr, reason);
  }
  assert.deepEqual(readdirSync(join(at.repo, "images")), before);
});

test("repo transaction keeps gc away until it is ended", async () => {
  using at = await fixture();
  const holder = await startTool(process.execPath, [MAIN, "repo", "transaction", "--repo", at.repo]);
  for await (const text of holder.stderr ?? []) {
    assert.equal(String(text), `Holding the lock of ${at.repo}\n`);
    break;
  }
  using repository = await openRepository(at.repo);
  assert.equal(await repository.lock("exclusive", 50), false);
  holder.kill("SIGTERM");
  assert.equal((await holder.exited).signal, "SIGTERM");
  assert.equal(await repository.lock("exclusive"), true);
});

test("repo mount refuses what cannot be mounted before it changes anything", async () => {
  using at = await fixture();
  const mount = (...words: string[]) => run("repo", "mount", "--repo", at.repo, ...words);
  for (const words of [["--read-write"], ["--upperdir", "u"], ["--workdir", "w"]]) {
    assert.equal((await mount("my", at.repo, ...words)).exitCode, 2);
  }
  assert.equal((await mount("absent", at.repo)).exitCode, 1);
  assert.match((await mount("my", join(at.repo, "none"))).err, /^sealroot: Cannot mount image .*: ENOENT/);
});

test("repo mount as an ordinary user names the way out", async () => {
  using at = await fixture();
  if (ROOT) {
    await runTool("chown", ["-R", "65534", at.directory.path]);
    process.seteuid?.(65534);
  }
  try {
    const refused = await run("repo", "mount", "--repo", at.repo, "my", at.directory.path);
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.err,
      /: EPERM: fsopen failed\n {2}mounting needs root; sealroot repo extract and sealroot repo cat-file do not\n$/,
    );
  } finally {
    if (ROOT) process.seteuid?.(0);
  }
  assert.ok(existsSync(at.repo));
});
