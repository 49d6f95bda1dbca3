import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { openRepository } from "../../src/repository/index.ts";
import { SplitStreamWriter } from "../../src/splitstream/index.ts";
import { run } from "../cli/run-verb.ts";

test("repo init speaks as cfsctl does", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "repo");
  assert.deepEqual(await run("repo", "init", "--insecure", path), {
    exitCode: 0,
    out: `Initialized composefs repository at ${path}\n  algorithm: fsverity-sha512-12\n  verity:    not required (insecure)\n`,
    err: "",
  });
  assert.equal((await run("repo", "init", "--insecure", path)).out, `Repository already initialized at ${path}\n`);
  assert.equal(
    (await run("repo", "init", "--ensure", "--erofs-version", "2", "--repo", path)).out,
    `Repository already initialized at ${path} (existing configuration preserved)\n`,
  );
  const secure = await run("repo", "init", path);
  assert.equal(secure.exitCode, 1);
  assert.match(secure.err, /it exists and is insecure, its meta\.json has no fs-verity/);
  const other = await run("repo", "init", "--algorithm", "fsverity-sha256-12", path);
  assert.equal(other.exitCode, 1);
  assert.equal((await run("repo", "init", path, "--repo", path)).exitCode, 2);
  assert.equal((await run("repo", "fsck", "--repo", path, "--hash", "sha256")).exitCode, 1);
});

test("an image goes from a directory into the repository and its id is the same by every way", async () => {
  using directory = temporaryDirectory();
  const repo = join(directory.path, "repo");
  const root = join(directory.path, "root");
  for (const name of ["usr", "boot", "sysroot"]) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, "usr", "large"), "x".repeat(1000));
  writeFileSync(join(root, "boot", "kernel"), "not part of a booted root");
  await run("repo", "init", "--insecure", repo);
  const created = await run("repo", "create-image", "--repo", repo, "--bootable", root, "my-system");
  assert.equal(created.exitCode, 0);
  const id = created.out.trim().replace("sha512:", "");
  assert.match(id, /^[0-9a-f]{128}$/);
  assert.equal((await run("repo", "compute-id", "--repo", repo, "--bootable", root)).out, `${id}\n`);
  const withoutRepository = ["--no-repo", "--hash", "sha512", "--erofs-version", "1"];
  assert.equal((await run("repo", "compute-id", ...withoutRepository, "--bootable", root)).out, `${id}\n`);
  const karg = async (...words: string[]) => (await run("repo", "compute-karg", ...words, root)).out;
  assert.equal(await karg("--repo", repo), `composefs.digest=v1-sha512-12:${id}\n`);
  assert.match(
    await karg("--hash", "sha256", "--erofs-version", "0"),
    /^composefs\.digest=v1-sha256-12:[0-9a-f]{64}\n$/,
  );
  assert.match(await karg("--hash", "sha256", "--erofs-version", "2"), /^composefs=[0-9a-f]{64}\n$/);
  const dumpFile = join(directory.path, "dump");
  const digest = await run("container", "compute-composefs-digest", "--write-dumpfile-to", dumpFile, root);
  assert.equal(digest.out, `${id}\n`);
  const dump = await run("repo", "create-dumpfile", "--hash", "sha512", "--bootable", root);
  assert.equal(readFileSync(dumpFile, "latin1"), dump.out);
  assert.equal(
    (await run("repo", "images", "--repo", repo, "--json")).out,
    JSON.stringify({ images: [{ name: "my-system", digest: `sha512:${id}` }] }),
  );
  assert.equal(
    (await run("repo", "images", "--repo", repo)).out,
    `NAME       DIGEST\nmy-system  sha512:${id.slice(0, 12)}\n`,
  );
  const objects = await run("repo", "image-objects", "--repo", repo, "my-system");
  assert.match(objects.out, /^sha512:[0-9a-f]{128}\n$/);
  // The kernel was stored and is needed by nothing. It is 25 bytes long, so inline: no object goes.
  assert.equal((await run("repo", "gc", "--repo", repo)).out, "Objects: 0 removed (0 bytes)\n");
  assert.equal((await run("repo", "fsck", "--repo", repo)).exitCode, 0);
  writeFileSync(join(repo, "objects", objects.out.slice(7, 9), objects.out.slice(9, 135)), "damaged");
  const damaged = await run("repo", "fsck", "--repo", repo, "--json");
  assert.equal(damaged.exitCode, 1);
  assert.equal(JSON.parse(damaged.out).objects_corrupted, 1);
});

test("cat reassembles a stream and / is refused as an image", async () => {
  using directory = temporaryDirectory();
  await run("repo", "init", "--insecure", directory.path);
  {
    using repository = await openRepository(directory.path);
    const body = repository.objects.ensure(Buffer.from("object "));
    const stream = new SplitStreamWriter("sha512", "ocilayer");
    stream.inline(Buffer.from("inline "));
    stream.external(body, 7);
    stream.inline(Buffer.from("end"));
    repository.streams.register([{ entry: "my-stream", objectId: repository.objects.ensure(await stream.finish()) }]);
    repository.streams.setReference("short", "my-stream");
  }
  for (const name of ["my-stream", "refs/short"]) {
    assert.equal((await run("repo", "cat", "--repo", directory.path, name)).out, "inline object end");
  }
  const absent = await run("repo", "cat", "--repo", directory.path, "absent");
  assert.equal(absent.exitCode, 1);
  assert.match(absent.err, /Cannot find "absent" among the streams of the repository/);
  const root = await run("container", "compute-composefs-digest", "/");
  assert.equal(root.exitCode, 2);
});
