/** Partial pulls from Debian's docker-registry, of layers that we and skopeo wrote. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { copyImage } from "../../src/images/index.ts";
import { pullImage } from "../../src/imagestore/index.ts";
import { type ImageReference, parseReference } from "../../src/oci/index.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import type { Repository } from "../../src/repository/index.ts";
import { filledRepository } from "../imagestore/filled-repository.ts";
import { file, type LayeredImage, layeredImage } from "../imagestore/layered-image.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { type DockerRegistry, skopeoCopy, startDockerRegistry } from "./docker-registry.ts";
import { emptyHost, type HostPaths } from "./empty-host.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let registry: DockerRegistry;
let paths: HostPaths;
let old: LayeredImage;
let update: LayeredImage;
const CHANGED_BYTES = 50_000;

before(async () => {
  scratch = await scratchDirectory();
  paths = await emptyHost(scratch.path);
  registry = await startDockerRegistry();
  const files = Array.from({ length: 40 }, (_, index) => file(`file-${index}`, randomBytes(1 + index * 1500)));
  old = await layeredImage(join(scratch.path, "old"), [files]);
  const changed = files.with(20, file("file-20", randomBytes(CHANGED_BYTES)));
  update = await layeredImage(join(scratch.path, "update"), [changed]);
});
after(async () => {
  await registry.stop();
  await scratch.remove();
});

const own = () => ({ policy: ACCEPT_ANYTHING, registry: { paths } });
const place = (image: string) => `docker://${registry.host}/${image}`;
const reference = (text: string): ImageReference => parseReference(text);

let made = 0;
async function newRepository(): Promise<Repository> {
  return filledRepository(join(scratch.path, `repository-${++made}`));
}

test("a changed file of a layer that we pushed as zstd:chunked is all that is fetched besides the table", async () => {
  await copyImage(reference(update.reference), reference(place("ours:t")), { packing: "zstd:chunked", ...own() });
  using whole = await newRepository();
  const expected = await pullImage(whole, update.reference, { name: "x", ...own() });
  using repository = await newRepository();
  await pullImage(repository, old.reference, { name: "old", ...own() });
  const { imageIds, statistics } = await pullImage(repository, place("ours:t"), { name: "x", ...own() });
  assert.deepEqual(imageIds, expected.imageIds);
  assert.equal(statistics.newObjects, 1);
  assert.ok(statistics.fetchedBytes < CHANGED_BYTES + 10_000, `${statistics.fetchedBytes} bytes`);
  assert.ok(statistics.savedBytes > 1_000_000, `${statistics.savedBytes} bytes`);
});

test("a zstd:chunked layer of Debian's skopeo, whose annotations have older names, is pulled as ordinary zstd", async () => {
  const plain = join(scratch.path, "plain");
  await skopeoCopy(update.reference, `dir:${plain}`, ["--dest-decompress"]);
  await skopeoCopy(`dir:${plain}`, place("theirs:t"), ["--dest-compress-format", "zstd:chunked"]);
  using repository = await newRepository();
  await pullImage(repository, old.reference, { name: "old", ...own() });
  const { statistics } = await pullImage(repository, place("theirs:t"), { name: "x", ...own() });
  assert.equal(statistics.savedBytes, 0);
  assert.ok(statistics.fetchedBytes > 1_000_000);
});

test("image pull says what was fetched and what was there, in words and as JSON", async () => {
  await copyImage(reference(update.reference), reference(place("said:t")), { packing: "zstd:chunked", ...own() });
  const said: string[] = [];
  for (const json of [[], ["--json"]]) {
    using repository = await newRepository();
    await pullImage(repository, old.reference, { name: "old", ...own() });
    const words = ["image", "pull", "--insecure-policy", "--repo", repository.path, place("said:t"), "x", ...json];
    const exit = await main(words, {
      line: (text) => said.push(text),
      bytes: async () => {},
      json: (value) => said.push(JSON.stringify(value)),
      remark: () => {},
    });
    assert.equal(exit, 0);
  }
  assert.match(said.join("\n"), /^fetched {2}\d+\.\d\d KiB; 1\.\d\d MiB of files were there$/m);
  const report: { layers: { fetchedBytes: number; savedBytes: number } } = JSON.parse(said.at(-1) ?? "");
  const { fetchedBytes: fetched, savedBytes: saved } = report.layers;
  assert.ok(fetched > CHANGED_BYTES && fetched < CHANGED_BYTES + 10_000 && saved > 1_000_000, said.at(-1));
});
