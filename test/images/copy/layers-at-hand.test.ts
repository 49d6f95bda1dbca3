/** What is read twice is fetched once: the registry is gone when the layers are read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { silent } from "../../../src/events/index.ts";
import { copyImage, layersAtHand, openImage } from "../../../src/images/index.ts";
import { pullOpenedImage } from "../../../src/imagestore/index.ts";
import { parseReference } from "../../../src/oci/index.ts";
import { ACCEPT_ANYTHING } from "../../../src/policy/index.ts";
import { initRepository } from "../../../src/repository/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { startDockerRegistry } from "../../registry/docker-registry.ts";
import { emptyHost } from "../../registry/empty-host.ts";
import { type MadeImage, makeImage, pulledInto } from "./images.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let image: MadeImage;
before(async () => {
  scratch = await scratchDirectory();
  image = await makeImage(join(scratch.path, "source"), { contents: ["one", "two", "one"] });
});
after(() => scratch.remove());

test("layersAtHand() fetches the layers of a registry, once", async () => {
  const registry = await startDockerRegistry();
  const options = { policy: ACCEPT_ANYTHING, registry: { paths: await emptyHost(scratch.path) } };
  const remote = parseReference(`docker://${registry.host}/a/b:t`);
  await copyImage(parseReference(`oci:${image.layout.directory}:v1`), remote, options);
  const opened = await openImage(remote, options);
  const local = await layersAtHand(opened, join(scratch.path, "layers"), silent);
  await opened.close();
  await registry.stop();
  const path = join(scratch.path, "pulled");
  using repository = (await initRepository(path, { algorithm: "sha512", protection: "insecure" })).repository;
  const pulled = await pullOpenedImage(repository, local, "image");
  using expected = await pulledInto(join(scratch.path, "expected"), image);
  assert.equal(pulled.manifestDigest, image.descriptor.digest);
  assert.deepEqual(
    [...pulled.imageIds.values()].map((id) => expected.objects.has(id)),
    [true],
  );
});

test("layersAtHand() leaves alone what is in files", async () => {
  const directory = join(scratch.path, "not-made");
  const opened = await openImage(parseReference(`oci:${image.layout.directory}:v1`));
  assert.equal(await layersAtHand(opened, directory, silent), opened);
  await opened.close();
});
