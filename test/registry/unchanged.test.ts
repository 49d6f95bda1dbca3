/** What is in the repository already is not asked for: an unchanged image costs one request, a present layer none. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pullImage } from "../../src/imagestore/index.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost } from "./empty-host.ts";
import { startMisbehavingRegistry } from "./misbehaving-registry.ts";

test("an unchanged image costs one request, and an update one for each document and new layer", async () => {
  const scratch = await scratchDirectory();
  const lower = randomFiles("lower", [50_000]);
  const image = await layeredImage(join(scratch.path, "image"), [lower, randomFiles("old", [50_000])]);
  const registry = await startMisbehavingRegistry(image.layout);
  try {
    const registryOptions = { paths: await emptyHost(scratch.path) };
    const path = join(scratch.path, "repository");
    using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
    const pull = async () => {
      const before = registry.log.length;
      const reference = `docker://${registry.host}/image:t`;
      await pullImage(repository, reference, { name: "x", policy: ACCEPT_ANYTHING, registry: registryOptions });
      return registry.log.slice(before);
    };
    await pull();
    assert.deepEqual(await pull(), ["GET /v2/image/manifests/t"]);
    const update = await layeredImage(join(scratch.path, "update"), [lower, randomFiles("new", [50_000])]);
    registry.reset(update.layout);
    const requests = await pull();
    const blobs = requests.filter((line) => line.includes("/blobs/"));
    assert.equal(blobs.length, 2, requests.join("\n"));
    assert.ok(blobs.includes(`GET /v2/image/blobs/${update.layers[1]?.digest}`));
    assert.ok(!blobs.includes(`GET /v2/image/blobs/${update.layers[0]?.digest}`));
  } finally {
    await registry.stop();
    await scratch.remove();
  }
});
