import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { buildDebianImage } from "../../examples/debian/image.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { silent, type WorkEvent } from "../../src/events/index.ts";
import { OciLayout, readConfig, readManifest } from "../../src/oci/index.ts";

const work = mkdtempSync(join(tmpdir(), "sealroot-examples-"));
const realPath = process.env.PATH;
after(() => {
  process.env.PATH = realPath;
  rmSync(work, { recursive: true, force: true });
});

/** Puts a program of our own in mmdebstrap's place; the real one is run by the tests of the sealed disk. */
function pretendMmdebstrap(script: string): void {
  writeFileSync(join(work, "mmdebstrap"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env.PATH = `${work}:${realPath}`;
}

const WORKING = `
echo "$SOURCE_DATE_EPOCH" >> ${work}/calls
echo "Get:1 somewhere trixie" >&2
echo "Setting up libc6" >&2
printf tar-of-mmdebstrap
`;

const calls = () => readFileSync(join(work, "calls"), "utf8").trim().split("\n");

async function readImage(directory: string, manifestDigest: string) {
  const layout = await OciLayout.open(directory);
  const blob = (digest: string) => readFileSync(layout.blobs.pathOf(digest));
  const manifest = readManifest(blob(manifestDigest), "manifest");
  return { manifest, config: readConfig(blob(manifest.config.digest), "config"), blob };
}

test("the image is mmdebstrap's tar with an empty /dev, under the labels of a bootable image", async () => {
  pretendMmdebstrap(WORKING);
  const directory = join(work, "debian");
  const events: WorkEvent[] = [];
  const built = await buildDebianImage({
    directory,
    sourceDateEpochSeconds: 86_400,
    events: (event) => void events.push(event),
  });
  const { manifest, config, blob } = await readImage(directory, built.manifestDigest);
  assert.equal(built.reused, false);
  assert.equal(built.reference, `oci:${directory}:latest`);
  assert.equal(config.created, "1970-01-02T00:00:00Z");
  assert.equal(config.config?.Labels?.["containers.bootc"], "1");
  const tar = gunzipSync(blob(manifest.layers[0]?.digest ?? ""));
  assert.equal(tar.subarray(0, 6).toString(), "./dev/");
  assert.equal(tar.subarray(512).toString(), "tar-of-mmdebstrap");
  assert.deepEqual(
    events.filter((event) => event.type === "progress").map(({ done }) => done),
    [1, 2],
  );
});

test("an image with unchanged inputs is reused, one with changed inputs is built again", async () => {
  pretendMmdebstrap(WORKING);
  rmSync(join(work, "calls"), { force: true });
  const directory = join(work, "twice");
  const build = (sourceDateEpochSeconds: number) =>
    buildDebianImage({ directory, sourceDateEpochSeconds, events: silent });
  const first = await build(1);
  const second = await build(1);
  const third = await build(2);
  assert.deepEqual(second, { ...first, reused: true });
  assert.equal(third.reused, false);
  assert.notEqual(third.manifestDigest, first.manifestDigest);
  assert.deepEqual(calls(), ["1", "2"]);
});

test("the same inputs give the same image", async () => {
  pretendMmdebstrap(WORKING);
  const build = (name: string) =>
    buildDebianImage({ directory: join(work, name), sourceDateEpochSeconds: 5, events: silent });
  assert.equal((await build("one")).manifestDigest, (await build("two")).manifestDigest);
});

test("a failed bootstrap says what mmdebstrap said last and leaves nothing under the final name", async () => {
  pretendMmdebstrap('printf half; echo "E: Unable to fetch some archives" >&2; exit 25');
  const directory = join(work, "failed");
  await assert.rejects(buildDebianImage({ directory, events: silent }), (error) => {
    assert.ok(error instanceof SealrootError);
    assert.equal(error.code, "failed");
    assert.equal(error.message, "Cannot bootstrap Debian: mmdebstrap failed: E: Unable to fetch some archives");
    return true;
  });
  assert.equal(existsSync(directory), false);
  assert.deepEqual(
    readdirSync(work).filter((name) => name.startsWith("failed")),
    ["failed.log"],
  );
});
