/** Ids as lists show them are what verbs accept. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type LinkEntry, openRepository, type Repository } from "../../src/repository/index.ts";
import { makeImage } from "../images/copy/images.ts";
import { run } from "./run-verb.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-ids-"));
const repo = join(scratch, "repository");
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Hex digits of the OCI image's manifest, and of the image made of a directory. */
let manifest: string;
let erofs: string;

before(async () => {
  const image = await makeImage(join(scratch, "image"));
  manifest = image.descriptor.digest.slice("sha256:".length);
  mkdirSync(join(scratch, "tree/usr"), { recursive: true });
  writeFileSync(join(scratch, "tree/usr/name"), "tree\n");
  await succeed("repo", "init", "--insecure", "--repo", repo);
  await succeed("image", "pull", "--insecure-policy", "--repo", repo, `oci:${join(scratch, "image")}:v1`, "os");
  erofs = (await succeed("repo", "create-image", "--repo", repo, join(scratch, "tree"), "my")).trim().slice(7);
});

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, err);
  return out;
}

const inspect = async (name: string) => JSON.parse(await succeed("image", "inspect", "--repo", repo, name)).manifest;

/** Links of the given names to whatever object there is, for as long as `work` runs. */
async function withLinks(kind: "streams" | "images", names: readonly string[], work: () => Promise<void>) {
  const change = async (apply: (repository: Repository, object: LinkEntry) => void) => {
    using repository = await openRepository(repo, { insecure: true });
    const [object] = repository.images.entries();
    assert.ok(object);
    apply(repository, object);
  };
  await change((repository, { objectId }) => {
    repository[kind].register(names.map((entry) => ({ entry, objectId })));
  });
  try {
    await work();
  } finally {
    for (const name of names) rmSync(join(repo, kind, name));
  }
}

test("image list shows what inspect, history, tag, push and remove take: the first digits of the digest", async () => {
  const [, row = ""] = (await succeed("image", "list", "--repo", repo)).split("\n");
  const shown = row.split(/ +/)[1] ?? "";
  assert.equal(shown, manifest.slice(0, 12));
  const whole = await inspect("os");
  for (const name of [
    shown,
    `sha256:${shown}`,
    `@${shown}`,
    `@sha256:${shown}`,
    shown.slice(0, 4),
    shown.toUpperCase(),
  ]) {
    assert.equal(await inspect(name), whole, name);
  }
  for (const name of [manifest, `sha256:${manifest}`, `@sha256:${manifest}`]) assert.equal(await inspect(name), whole);
  assert.equal(await succeed("image", "tag", "--repo", repo, shown, "second"), `Tagged sha256:${manifest} as second\n`);
  assert.match(await succeed("image", "history", "--repo", repo, shown), /two\n.*one\n$/);
  assert.match(await succeed("image", "compute-id", "--repo", repo, shown), /^[0-9a-f]{128}\n$/);
  await succeed("image", "push", "--repo", repo, shown, `oci:${join(scratch, "pushed")}:v1`);
  assert.match(await succeed("repo", "dump-files", "--repo", repo, shown, "/usr/small"), /^\/usr\/small /);
  assert.equal(await succeed("image", "remove", "--repo", repo, shown), "Removed tag os\nRemoved tag second\n");
  await succeed("image", "tag", "--repo", repo, shown, "os");
});

test("repo images shows what cat-file, image-objects, extract and gc take", async () => {
  const [, row = ""] = (await succeed("repo", "images", "--repo", repo)).split("\n");
  const shown = row.split(/ +/)[1] ?? "";
  assert.equal(shown, `sha512:${erofs.slice(0, 12)}`);
  for (const name of [shown, erofs, `sha512:${erofs}`, erofs.slice(0, 12), erofs.slice(0, 4)]) {
    assert.equal(await succeed("repo", "cat-file", "--repo", repo, name, "/usr/name"), "tree\n", name);
  }
  assert.equal(await succeed("repo", "image-objects", "--repo", repo, shown), "");
  await succeed("repo", "extract", "--no-same-owner", "--repo", repo, shown, join(scratch, "extracted"));
  await succeed("repo", "gc", "--dry-run", "--repo", repo, "--root", shown);
});

test("repo cat takes the first digits after a content id's words", async () => {
  const config = JSON.parse(await inspect("os")).config.digest;
  const text = await succeed("repo", "cat", "--repo", repo, `oci-config-${config}`);
  assert.equal(await succeed("repo", "cat", "--repo", repo, `oci-config-${config.slice(0, 19)}`), text);
  assert.equal((await run("repo", "cat", "--repo", repo, "oci-config-sha256:")).exitCode, 1);
});

test("fewer than four digits, other hashes and unknown digits are not ids", async () => {
  for (const name of [
    manifest.slice(0, 3),
    `sha1:${manifest.slice(0, 12)}`,
    `sha512:${manifest.slice(0, 12)}`,
    "ffffffff0000",
  ]) {
    const { exitCode, err } = await run("image", "inspect", "--repo", repo, name);
    assert.deepEqual(
      [exitCode, err.split("\n")[0]],
      [1, `sealroot: Cannot find image "${name}": OCI reference not found`],
    );
  }
  const { exitCode, err } = await run("repo", "gc", "--repo", repo, "--root", "mispelt");
  assert.deepEqual(
    [exitCode, err.split("\n")[0]],
    [1, 'sealroot: Cannot find "mispelt" among the streams of the repository'],
  );
});

test("a tag that looks like digits is a tag", async () => {
  const digits = manifest.slice(0, 12);
  await succeed("image", "tag", "--repo", repo, "os", digits);
  assert.equal(await succeed("image", "remove", "--repo", repo, digits), `Removed tag ${digits}\n`);
});

test("digits that several ids begin with are refused, naming them with their tags", async () => {
  const other = `${manifest.slice(0, 12)}${"0".repeat(52)}`;
  await withLinks("streams", [`oci-manifest-sha256:${other}`], async () => {
    for (const verb of [
      ["image", "inspect"],
      ["image", "remove"],
      ["image", "history"],
    ]) {
      const { exitCode, out, err } = await run(...verb, "--repo", repo, manifest.slice(0, 12));
      const ids = [`sha256:${other}`, `sha256:${manifest} os`].sort().join(", ");
      assert.deepEqual([exitCode, out], [2, ""]);
      const said = `sealroot: Cannot tell which one "${manifest.slice(0, 12)}" is: 2 ids begin with it`;
      assert.equal(err, `${said}\n  found:    ${ids}\n  give more digits\n`);
    }
    assert.match(await inspect(manifest.slice(0, 13)), /schemaVersion/);
  });
  const otherImages = Array.from({ length: 11 }, (_, at) => `${erofs.slice(0, 8)}${at.toString(16)}${"0".repeat(119)}`);
  await withLinks("images", otherImages, async () => {
    const { exitCode, err } = await run("repo", "cat-file", "--repo", repo, erofs.slice(0, 8), "/usr/name");
    assert.equal(exitCode, 2);
    assert.match(err, /: 12 ids begin with it\n {2}found: {4}(?:sha512:[0-9a-f]{128}, ){10}2 more\n/);
  });
});

test("digits that an OCI image and an EROFS image begin with are refused too", async () => {
  await withLinks("images", [`${manifest.slice(0, 12)}${"0".repeat(116)}`], async () => {
    const { exitCode, err } = await run("repo", "cat-file", "--repo", repo, manifest.slice(0, 12), "/usr/small");
    assert.equal(exitCode, 2);
    assert.ok(
      err.includes(`found:    sha512:${manifest.slice(0, 12)}0000`) && err.includes(`, sha256:${manifest}`),
      err,
    );
  });
});
