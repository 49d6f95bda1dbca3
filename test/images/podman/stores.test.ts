/**
 * Images out of podman's stores. skopeo judges: what it copies out of a store into a layout must be the image that is
 * read from the store here. It also makes stores of its own, with the overlay driver, for which this kernel's overlayfs
 * and root suffice.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { copyImage, openImage } from "../../../src/images/index.ts";
import { layerStreamName, pullImage } from "../../../src/imagestore/index.ts";
import { digestOf, parseReference } from "../../../src/oci/index.ts";
import { setXattr, tryRecordLock } from "../../../src/platform/index.ts";
import { initRepository } from "../../../src/repository/index.ts";
import { pulledIds, skopeoCopy } from "../../imagestore/containers.ts";
import { outOfLayer } from "../../imagestore/layer-prefix.ts";
import { scratchDirectory, unpack } from "../../imagestore/vectors.ts";
import * as stores from "./stores.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
/** The image of the fixtures as skopeo has it. */
let expected: Awaited<ReturnType<typeof pulledIds>>;
before(async () => {
  assert.equal(process.getuid?.(), 0, "the stores have devices and owners: run these tests as root");
  scratch = await scratchDirectory();
  const layout = join(scratch.path, "layout");
  skopeoCopy(stores.referenceTo(stores.unpackStore(scratch.path, "full")), `oci:${layout}`);
  expected = await pulledIds(scratch.path, `oci:${layout}`);
});
after(() => {
  stores.unmountBelow(scratch.path);
  return scratch.remove();
});

const VECTORS = new URL("../../vectors/repo/", import.meta.url).pathname;

async function layoutOf(vector: string): Promise<string> {
  return unpack(join(VECTORS, vector, "layout.tar.gz"), join(scratch.path, vector), "layout");
}

for (const kind of ["full", "partial", "cfs"] as const) {
  test(`a store of kind ${kind} gives the image that skopeo copies out, under the manifest it came with`, async () => {
    const reference = stores.referenceTo(stores.unpackStore(scratch.path, kind));
    const path = join(scratch.path, `repository-${kind}`);
    using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
    const pulled = await pullImage(repository, reference, { name: "it" });
    assert.equal(pulled.manifestDigest, stores.MANIFEST);
    assert.equal(pulled.configDigest, `sha256:${stores.IMAGE_ID}`);
    assert.equal(pulled.configDigest, expected.configDigest);
    assert.deepEqual([...pulled.imageIds.values()], expected.imageIds);
    for (const diffId of [stores.BASE_DIFF_ID, stores.TOP_DIFF_ID]) {
      assert.ok(repository.streams.find(layerStreamName(diffId)), diffId);
    }
    const again = await pullImage(repository, reference, { name: "it" });
    assert.deepEqual([again.manifestStreamId, again.statistics.newObjects], [pulled.manifestStreamId, 0]);
  });
}

test("nothing is written to the store", async () => {
  const store = stores.unpackStore(scratch.path, "full");
  const listing = () =>
    execFileSync("find", [store, "-printf", "%P %y %m %U:%G %s %T@ %C@ %n\n"], { encoding: "utf8" });
  const before = listing();
  await pulledIds(scratch.path, stores.referenceTo(store));
  assert.equal(listing(), before);
});

test("a body that is only attributes is taken from the layer below", async () => {
  const store = stores.unpackStore(scratch.path, "full");
  const [own, below] = [stores.TOP, stores.BASE].map((layer) => stores.diffPath(store, layer, "usr", "copy"));
  renameSync(own ?? "", below ?? "");
  writeFileSync(own ?? "", Buffer.alloc(300));
  setXattr(own ?? "", byteStringOfText("trusted.overlay.metacopy"), new Uint8Array(0));
  assert.deepEqual(await pulledIds(scratch.path, stores.referenceTo(store)), expected);
});

test("a layer may be in another store", async () => {
  const [upper, lower] = [stores.unpackStore(scratch.path, "full"), stores.unpackStore(scratch.path, "full")];
  stores.editList(upper, "layers", (layers) => void layers.shift());
  rmSync(stores.diffPath(upper, stores.BASE), { recursive: true });
  const reference = `containers-storage:[overlay@${upper}+${upper}-run:overlay.imagestore=${lower}]${stores.NAME}`;
  assert.deepEqual(await pulledIds(scratch.path, reference), expected);
  await assert.rejects(pulledIds(scratch.path, stores.referenceTo(upper)), {
    code: "corrupt",
    message: `Cannot read container storage: layer ${stores.BASE} is missing`,
  });
});

test("a change in progress is waited for, and nobody waits when it is over", async () => {
  for (const list of ["images", "layers"]) {
    const store = stores.unpackStore(scratch.path, "full");
    const path = join(store, `overlay-${list}`, `${list}.lock`);
    const held = openSync(path, "r+");
    assert.equal(tryRecordLock(held, "exclusive"), true);
    let isDone = false;
    const pulling = pulledIds(scratch.path, stores.referenceTo(store)).finally(() => {
      isDone = true;
    });
    await sleep(100);
    assert.equal(isDone, false, list);
    closeSync(held);
    assert.deepEqual(await pulling, expected);
    const free = openSync(path, "r+");
    assert.equal(tryRecordLock(free, "exclusive"), true, "the lock is given up");
    closeSync(free);
  }
});

test("stores that skopeo makes give the images they were made of", async () => {
  const store = join(scratch.path, "made");
  for (const vector of ["01-simple", "02-whiteouts", "04-long-names", "05-sizes", "06-devices", "09-compressions"]) {
    const layout = await layoutOf(vector);
    const reference = stores.referenceTo(store, `example.com/${vector}:v`);
    skopeoCopy(`oci:${layout}`, reference);
    assert.deepEqual(await pulledIds(scratch.path, reference), await pulledIds(scratch.path, `oci:${layout}`), vector);
  }
});

test("an image with a manifest of Docker's in a store is the same image", async () => {
  const store = join(scratch.path, "docker");
  const layout = await layoutOf("01-simple");
  const reference = stores.referenceTo(store, "example.com/docker:v");
  skopeoCopy(`oci:${layout}`, reference, "--format", "v2s2");
  assert.deepEqual(await pulledIds(scratch.path, reference), await pulledIds(scratch.path, `oci:${layout}`));
});

test("an image that podman built is the image that skopeo copies out, its plain layers as blobs too", async () => {
  const store = join(scratch.path, "built");
  const context = join(scratch.path, "context");
  mkdirSync(join(context, "usr", "bin"), { recursive: true });
  writeFileSync(join(context, "usr", "bin", "tool"), Buffer.alloc(200_000, "tool "));
  writeFileSync(join(context, "Containerfile"), "FROM scratch\nCOPY usr /usr\nLABEL a=b\nCOPY usr /usr/again\n");
  const roots = ["--root", store, "--runroot", `${store}-run`, "--storage-driver", "overlay"];
  const build = ["build", "--quiet", "--layers", "--network", "none", "-t", "localhost/built:v", context];
  execFileSync("podman", [...roots, ...build], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, TMPDIR: tmpdir() },
  });
  const layout = join(scratch.path, "built-layout");
  skopeoCopy(stores.referenceTo(store, "localhost/built:v"), `oci:${layout}`);
  const ids = await pulledIds(scratch.path, `oci:${layout}`);
  for (const name of ["localhost/built:v", "built:v"]) {
    assert.deepEqual(await pulledIds(scratch.path, stores.referenceTo(store, name)), ids);
  }
  const image = await openImage(parseReference(stores.referenceTo(store, "localhost/built:v")));
  for (const layer of image.manifest.layers) {
    let sizeBytes = 0;
    for await (const part of image.blobs.read(layer)) sizeBytes += part.length;
    assert.equal(sizeBytes, layer.size);
  }
  await image.close();
});

test("an image is copied out of a store: the layers are packed anew, and skopeo takes the result", async () => {
  const source = parseReference(stores.referenceTo(stores.unpackStore(scratch.path, "partial")));
  const path = join(scratch.path, "copied-out");
  const { descriptor } = await copyImage(source, parseReference(`oci:${path}:v`));
  assert.deepEqual(await pulledIds(scratch.path, `oci:${path}:v`), expected);
  skopeoCopy(`oci:${path}:v`, `dir:${path}-again`);
  assert.equal(digestOf(readFileSync(join(`${path}-again`, "manifest.json"))), descriptor.digest);
  const damaged = stores.unpackStore(scratch.path, "full");
  rmSync(stores.diffPath(damaged, stores.BASE, "usr", "bin", "tool"));
  await assert.rejects(
    copyImage(parseReference(stores.referenceTo(damaged)), parseReference(`oci:${join(scratch.path, "not-copied")}:v`)),
    outOfLayer({ code: "corrupt", message: `Cannot rebuild layer ${stores.BASE}: usr/bin/tool is missing` }),
  );
});

test("the compressed blobs are gone, and the refusal says how to copy the image out", async () => {
  const image = await openImage(parseReference(stores.referenceTo(stores.unpackStore(scratch.path, "full"))));
  const [layer] = image.manifest.layers;
  assert.ok(layer);
  await assert.rejects(image.blobs.read(layer).next(), {
    code: "unsupported",
    message: `Cannot read blob ${layer.digest}: the store keeps layers unpacked, and their blobs are gone`,
  });
  await image.close();
});

test("documents that were changed in the store are refused", async () => {
  const changed = (file: string) => {
    const store = stores.unpackStore(scratch.path, "full");
    const path = join(store, "overlay-images", stores.IMAGE_ID, file);
    writeFileSync(path, readFileSync(path, "utf8").replace("zstd", "gzip").replace("linux", "linuy"));
    return stores.referenceTo(store);
  };
  const config = `=${Buffer.from(`sha256:${stores.IMAGE_ID}`).toString("base64")}`;
  await assert.rejects(pulledIds(scratch.path, changed("manifest")), {
    code: "corrupt",
    message: new RegExp(
      `^Cannot open image ${stores.IMAGE_ID}: its manifest is sha256:\\w+, expected ${stores.MANIFEST}$`,
    ),
  });
  await assert.rejects(pulledIds(scratch.path, changed(config)), {
    code: "corrupt",
    message: new RegExp(`its digest is sha256:\\w+, expected sha256:${stores.IMAGE_ID}$`),
  });
});
