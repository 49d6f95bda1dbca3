import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openImage } from "../../src/images/index.ts";
import { findImage, pullImage, pushImage } from "../../src/imagestore/index.ts";
import { digestOf, layerCompression, parseReference } from "../../src/oci/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { decompress } from "../../src/zstd/index.ts";
import { filesIn, makeImage, pulledInto, tool } from "../images/copy/images.ts";
import { readVectors, scratchDirectory, unpack } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
const at = (name: string) => join(scratch.path, name);
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const AMD64 = { os: "linux", architecture: "amd64" };

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Digests of the uncompressed layers as they can be read at a place. */
async function diffIdsAt(reference: string): Promise<string[]> {
  const image = await openImage(parseReference(reference), { platform: AMD64 });
  const digests: string[] = [];
  for (const layer of image.manifest.layers) {
    const compression = layerCompression(layer.mediaType);
    assert.ok(compression);
    digests.push(digestOf(await bytesOf(decompress(image.blobs.read(layer), compression))));
  }
  await image.close();
  return digests;
}

test("pushImage() gives every layer of the vectors back bit for bit, under the same configuration", async () => {
  const vectors = (await readVectors()).filter(({ name }) => /^(0|10|12|13|28|29)/.test(name));
  assert.equal(vectors.length, 14);
  for (const { name, directory, expected } of vectors) {
    const layout = await unpack(join(directory, "layout.tar.gz"), at(name), "layout");
    const { repository } = await initRepository(at(`${name}-repository`), {
      algorithm: "sha512",
      protection: "insecure",
    });
    using _ = repository;
    await pullImage(repository, `oci:${layout}:t`, { name: "image" });
    const target = `oci:${at(`${name}-pushed`)}:t`;
    const written = await pushImage(repository, "image", parseReference(target));
    assert.deepEqual(await diffIdsAt(target), expected.oci.diff_ids, name);
    const pushed = await openImage(parseReference(target), { platform: AMD64 });
    assert.equal(pushed.manifest.config.digest, expected.oci.config);
    assert.equal(written.sourceDigest, expected.oci.manifest);
    assert.equal(written.descriptor.digest, pushed.descriptor.digest);
    const stored = await findImage(repository, "image");
    const types = (layers: readonly { readonly mediaType: string }[]) => layers.map((layer) => layer.mediaType);
    assert.deepEqual(types(pushed.manifest.layers), types(stored.manifest.layers));
  }
});

test("pushImage() writes the manifest as it was when the layers can be packed as they were", async () => {
  for (const compression of ["gzip", "zstd", "none"] as const) {
    const image = await makeImage(at(`same-${compression}`), { compression });
    using repository = await pulledInto(at(`same-${compression}-repository`), image);
    const target = at(`same-${compression}-pushed`);
    const reference = parseReference(`oci:${target}:v1`);
    const written = await pushImage(repository, "image", reference, { preserveDigests: true });
    assert.equal(written.descriptor.digest, image.descriptor.digest);
    assert.deepEqual(await filesIn(target), await filesIn(image.layout.directory));
  }
});

test("pushImage() packs anew what another compressor wrote: another manifest, the same every time", async () => {
  const image = await makeImage(at("fast"), { compression: "gzip", level: 1 });
  using repository = await pulledInto(at("fast-repository"), image);
  const written = await pushImage(repository, "image", parseReference(`oci-archive:${at("fast-1.tar")}:v1`));
  await pushImage(repository, "image", parseReference(`oci-archive:${at("fast-2.tar")}:v1`));
  assert.deepEqual(await readFile(at("fast-1.tar")), await readFile(at("fast-2.tar")));
  assert.notEqual(written.descriptor.digest, image.descriptor.digest);
  assert.equal(written.sourceDigest, image.descriptor.digest);
  const raw = JSON.parse(tool("skopeo", "inspect", "--raw", `oci-archive:${at("fast-1.tar")}:v1`));
  assert.deepEqual({ ...raw, layers: [] }, { ...image.manifest, layers: [] });
  assert.deepEqual(await diffIdsAt(`oci-archive:${at("fast-1.tar")}:v1`), image.config.rootfs.diff_ids);
  // What the place has already is not packed again, so the manifest is the old one there.
  await pushImage(repository, "image", parseReference(`oci:${at("fast")}:again`));
  const [first, again] = (await image.layout.readIndex()).manifests;
  assert.equal(again?.digest, first?.digest);
  await assert.rejects(
    pushImage(repository, "image", parseReference(`oci-archive:${at("fast-3.tar")}`), { preserveDigests: true }),
    { code: "conflict" },
  );
});

test("pushImage() packs as it is told, and skopeo takes the result", async () => {
  const image = await makeImage(at("told"), { contents: ["one", "two", "one"] });
  using repository = await pulledInto(at("told-repository"), image);
  for (const packing of ["zstd", "none", "gzip"] as const) {
    const target = `dir:${at(`told-${packing}`)}`;
    const written = await pushImage(repository, "image", parseReference(target), { packing });
    assert.equal(written.layers.length, 3);
    assert.equal(written.layers[0]?.descriptor.digest, written.layers[2]?.descriptor.digest);
    tool("skopeo", "copy", "-q", target, `oci:${at(`told-${packing}-copied`)}:v1`);
    assert.deepEqual(await diffIdsAt(`oci:${at(`told-${packing}-copied`)}:v1`), image.config.rootfs.diff_ids);
  }
});

test("pushImage() writes an artifact as it was", async () => {
  const vector = (await readVectors()).find(({ name }) => name === "11-artifact");
  assert.ok(vector);
  const layout = await unpack(join(vector.directory, "layout.tar.gz"), at("artifact"), "layout");
  const { repository } = await initRepository(at("artifact-repository"), {
    algorithm: "sha512",
    protection: "insecure",
  });
  using _ = repository;
  await pullImage(repository, `oci:${layout}:t`, { name: "image" });
  const written = await pushImage(repository, "image", parseReference(`oci:${at("artifact-pushed")}:t`), {
    preserveDigests: true,
    packing: "zstd",
  });
  assert.equal(written.descriptor.digest, vector.expected.oci.manifest);
  const blobs = (files: Map<string, Buffer>) => new Map([...files].filter(([name]) => name.startsWith("blobs/")));
  assert.deepEqual(blobs(await filesIn(at("artifact-pushed"))), blobs(await filesIn(layout)));
});
