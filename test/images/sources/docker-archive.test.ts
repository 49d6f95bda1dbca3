import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { openImage } from "../../../src/images/index.ts";
import { fullImageName, repositoryOfName } from "../../../src/oci/docker-names.ts";
import { digestOf, documentBytes, parseReference } from "../../../src/oci/index.ts";
import { type TarMember, writeTar } from "../../../src/tar/index.ts";
import { pulledIds, skopeoCopy } from "../../imagestore/containers.ts";
import { scratchDirectory, unpack } from "../../imagestore/vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const VECTORS = new URL("../../vectors/repo/", import.meta.url).pathname;
const METADATA = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0n };

async function tarOf(members: Iterable<TarMember>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of writeTar(members)) parts.push(part);
  return Buffer.concat(parts);
}

function file(path: string, body: Uint8Array): TarMember {
  return { header: { kind: "file", path: byteStringOfText(path), ...METADATA }, body };
}

function symlink(path: string, target: string): TarMember {
  const header = { kind: "symlink" as const, path: byteStringOfText(path), linkPath: byteStringOfText(target) };
  return { header: { ...header, ...METADATA } };
}

interface ArchivedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

async function writeArchive(name: string, images: readonly ArchivedImage[], members: readonly TarMember[]) {
  const path = join(scratch.path, name);
  writeFileSync(path, await tarOf([...members, file("manifest.json", documentBytes(images))]));
  return path;
}

/** A layer with a directory /usr and a file in it. */
async function layerOf(text: string): Promise<Buffer> {
  const usr = { header: { kind: "directory" as const, path: byteStringOfText("usr"), ...METADATA, mode: 0o755 } };
  return tarOf([usr, file("usr/text", Buffer.from(text))]);
}

function configOf(architecture: string, layers: readonly Uint8Array[]): Uint8Array {
  return documentBytes({ architecture, os: "linux", rootfs: { type: "layers", diff_ids: layers.map(digestOf) } });
}

async function opened(reference: string) {
  const image = await openImage(parseReference(`docker-archive:${reference}`));
  await image.close();
  return image;
}

test("an image that skopeo saved is the image of the layout, by name or as the only one", async () => {
  const layout = await unpack(join(VECTORS, "01-simple", "layout.tar.gz"), join(scratch.path, "01"), "layout");
  const path = join(scratch.path, "saved.tar");
  skopeoCopy(`oci:${layout}`, `docker-archive:${path}:example.com/x:v`);
  const expected = await pulledIds(scratch.path, `oci:${layout}`);
  assert.deepEqual(await pulledIds(scratch.path, `docker-archive:${path}`), expected);
  assert.deepEqual(await pulledIds(scratch.path, `docker-archive:${path}:example.com/x:v`), expected);
  assert.deepEqual(await pulledIds(scratch.path, `docker-archive:${path}:@0`), expected);
  await assert.rejects(opened(`${path}:example.com/x:w`), {
    code: "not-found",
    message: `Cannot open image docker-archive:${path}:example.com/x:w: it has no image "example.com/x:w"`,
    data: { path, hint: "the names there are: example.com/x:v" },
  });
  await assert.rejects(opened(`${path}:@1`), { code: "not-found" });
});

test("layers may be links and compressed; the made manifest says what there is", async () => {
  const [base, top] = [await layerOf("base"), await layerOf("top")];
  const config = configOf("amd64", [base, top, base]);
  const compressed = gzipSync(top);
  const image = { Config: "c.json", RepoTags: null, Layers: ["a/layer.tar", "./b/layer.tar", "c/layer.tar"] };
  const path = await writeArchive(
    "links.tar",
    [image],
    [
      file("a/layer.tar", base),
      file("top.tar", compressed),
      symlink("b/layer.tar", "../top.tar"),
      symlink("c/layer.tar", "../d/layer.tar"),
      symlink("d/layer.tar", "../a/layer.tar"),
      file("c.json", config),
    ],
  );
  const { manifest, descriptor } = await opened(path);
  const plain = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digestOf(base), size: base.length };
  assert.deepEqual(manifest, {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(config), size: config.length },
    layers: [
      plain,
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: digestOf(compressed),
        size: compressed.length,
      },
      plain,
    ],
  });
  assert.equal((await opened(path)).descriptor.digest, descriptor.digest);
  assert.equal((await pulledIds(scratch.path, `docker-archive:${path}`)).configDigest, digestOf(config));
});

test("of several images the one for this machine or the named one is taken", async () => {
  const layer = await layerOf("same");
  const [one, other] = [configOf("riscv64", [layer]), configOf("s390x", [layer])];
  const images = [
    { Config: "one.json", RepoTags: ["docker.io/library/debian:13"], Layers: ["l.tar"] },
    { Config: "other.json", RepoTags: ["example.com/x:v", "localhost:5000/x:w"], Layers: ["l.tar"] },
  ];
  const members = [file("l.tar", layer), file("one.json", one), file("other.json", other)];
  const path = await writeArchive("several.tar", images, members);
  const configs: readonly (readonly [string, Uint8Array])[] = [
    ["debian:13", one],
    ["@0", one],
    ["example.com/x:v", other],
    ["localhost:5000/x:w", other],
  ];
  for (const [name, config] of configs) assert.deepEqual((await opened(`${path}:${name}`)).configBytes, config, name);
  await assert.rejects(opened(path), { code: "not-found", message: /none of its images is for linux\// });
});

test("Docker's newer archives name the blobs of a layout, whose digests are checked", async () => {
  const layer = await layerOf("new");
  const compressed = gzipSync(layer);
  const name = `blobs/sha256/${createHash("sha256").update(compressed).digest("hex")}`;
  const image = { Config: "c.json", RepoTags: ["x"], Layers: [name] };
  const path = await writeArchive(
    "blobs.tar",
    [image],
    [file(name, compressed), file("c.json", configOf("amd64", [layer]))],
  );
  assert.equal((await opened(path)).manifest.layers[0]?.digest, digestOf(compressed));
  await pulledIds(scratch.path, `docker-archive:${path}`);
  const bytes = readFileSync(path);
  bytes.writeUInt8(0xff, 512 + 9);
  writeFileSync(path, bytes);
  await assert.rejects(pulledIds(scratch.path, `docker-archive:${path}`), {
    code: "corrupt",
    message: /its digest is/,
  });
});

test("a layer that does not have its diff id is refused with both values", async () => {
  const [layer, stated] = [await layerOf("actual"), await layerOf("stated")];
  const image = { Config: "c.json", RepoTags: ["x"], Layers: ["l.tar"] };
  const members = [file("l.tar", layer), file("c.json", configOf("amd64", [stated]))];
  const path = await writeArchive("tampered.tar", [image], members);
  await assert.rejects(pulledIds(scratch.path, `docker-archive:${path}`), {
    code: "corrupt",
    message: new RegExp(`its digest is ${digestOf(layer)}, expected ${digestOf(stated)}`),
  });
});

test("archives that cannot be read in place, or lack what they name, are refused", async () => {
  const layer = await layerOf("any");
  const image = { Config: "c.json", RepoTags: ["x"], Layers: ["l.tar"] };
  const config = file("c.json", configOf("amd64", [layer]));
  const path = await writeArchive("whole.tar", [image], [file("l.tar", layer), config]);
  const zipped = join(scratch.path, "zipped.tar.gz");
  writeFileSync(zipped, gzipSync(readFileSync(path)));
  await assert.rejects(opened(zipped), {
    code: "unsupported",
    message: `Cannot open Docker archive ${zipped}: it is compressed (gzip), and members are read in place`,
    data: { path: zipped, hint: "decompress it first: gzip -d" },
  });
  const withoutLayer = await writeArchive("no-layer.tar", [image], [config]);
  const missing = `Cannot open Docker archive ${withoutLayer}: manifest.json names l.tar, which is not there`;
  await assert.rejects(opened(withoutLayer), { code: "corrupt", message: missing });
  const circle = await writeArchive(
    "circle.tar",
    [image],
    [symlink("l.tar", "m.tar"), symlink("m.tar", "l.tar"), config],
  );
  await assert.rejects(opened(circle), { code: "corrupt", message: /names l\.tar, which is not there$/ });
  const two = { ...image, Layers: ["l.tar", "l.tar"] };
  const disagreeing = await writeArchive("two.tar", [two], [file("l.tar", layer), config]);
  await assert.rejects(opened(disagreeing), { code: "corrupt", message: /2 layers, 1 diff ids$/ });
  const empty = join(scratch.path, "empty.tar");
  writeFileSync(empty, await tarOf([]));
  await assert.rejects(opened(empty), {
    code: "not-found",
    message: `Cannot read ${empty}: it has no member manifest.json`,
  });
  await assert.rejects(opened(join(scratch.path, "absent.tar")), { code: "not-found" });
});

test("names in full, as Docker writes them out", () => {
  const names: readonly (readonly [string, string, string])[] = [
    ["debian", "docker.io/library/debian:latest", "docker.io/library/debian"],
    ["debian:13", "docker.io/library/debian:13", "docker.io/library/debian"],
    ["group/name", "docker.io/group/name:latest", "docker.io/group/name"],
    ["index.docker.io/debian", "docker.io/library/debian:latest", "docker.io/library/debian"],
    ["localhost/x", "localhost/x:latest", "localhost/x"],
    ["host:5000/x", "host:5000/x:latest", "host:5000/x"],
    ["host:5000/x/y:v", "host:5000/x/y:v", "host:5000/x/y"],
    ["x@sha256:00", "docker.io/library/x@sha256:00", "docker.io/library/x"],
  ];
  for (const [name, full, repository] of names) {
    assert.equal(fullImageName(name), full);
    assert.equal(repositoryOfName(full), repository);
  }
});
