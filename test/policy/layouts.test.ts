import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openImage } from "../../src/images/index.ts";
import {
  type Descriptor,
  documentBytes,
  MEDIA_TYPE,
  OciLayout,
  parseReference,
  putLayer,
} from "../../src/oci/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { newKeys, payloadOf, signedWith, writePublicKey } from "./fixture.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
const keys = newKeys();
let policy: { readonly path: string };
before(async () => {
  scratch = await scratchDirectory();
  const keyPath = writePublicKey(scratch.path, "own.pub", keys.publicKey);
  const signedIdentity = { type: "exactRepository", dockerRepository: NAME };
  policy = { path: join(scratch.path, "policy.json") };
  await writeFile(policy.path, JSON.stringify({ default: [{ type: "sigstoreSigned", keyPath, signedIdentity }] }));
});
after(() => scratch.remove());

const NAME = "reg.example.com/app";
const TAG = "org.opencontainers.image.ref.name";
const DOCKER = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";

async function* emptyTar() {
  yield END_OF_ARCHIVE;
}

async function put(layout: OciLayout, mediaType: string, document: object): Promise<Descriptor> {
  return { mediaType, ...(await layout.blobs.put(documentBytes(document))) };
}

/** A layout with a list over one image, both of docker's types or of OCI's. */
async function layoutWithList(name: string, isDocker: boolean) {
  const layout = await OciLayout.create(join(scratch.path, name));
  const layer = await putLayer(layout, emptyTar(), { compression: "gzip" });
  const platform = { os: "linux", architecture: "amd64" };
  const config = await layout.putConfig({ ...platform, rootfs: { type: "layers", diff_ids: [layer.diffId] } });
  const [manifestType, listType] = isDocker ? [DOCKER, DOCKER_LIST] : [MEDIA_TYPE.manifest, MEDIA_TYPE.index];
  const ofDocker = { mediaType: "application/vnd.docker.container.image.v1+json" };
  const tarOfDocker = { mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip" };
  const image = await put(layout, manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { ...config, ...(isDocker && ofDocker) },
    layers: [{ ...layer.descriptor, ...(isDocker && tarOfDocker) }],
  });
  const manifests = [{ ...image, platform }];
  const list = await put(layout, listType, { schemaVersion: 2, mediaType: listType, manifests });
  return { layout, image, list };
}

/** Writes index.json with the list under the tag `v`, and signatures of these. */
async function sign(layout: OciLayout, list: Descriptor, signed: readonly Descriptor[]): Promise<void> {
  const entries: Descriptor[] = [{ ...list, annotations: { [TAG]: "v" } }];
  for (const { digest } of signed) {
    const payload = payloadOf(digest, NAME);
    const blob = await layout.blobs.put(payload);
    const mediaType = "application/vnd.dev.cosign.simplesigning.v1+json";
    const layers = [{ mediaType, ...blob, annotations: signedWith(keys.privateKey, payload) }];
    const config = await put(layout, MEDIA_TYPE.config, {});
    const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers };
    const stored = await put(layout, MEDIA_TYPE.manifest, manifest);
    entries.push({ ...stored, annotations: { [TAG]: `${digest.replace(":", "-")}.sig` } });
  }
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: entries };
  await writeFile(join(layout.directory, "index.json"), documentBytes(index));
}

async function open(layout: OciLayout): Promise<void> {
  const platform = { os: "linux", architecture: "amd64" };
  await (await openImage(parseReference(`oci:${layout.directory}:v`), { platform, policy })).close();
}

test("a list: signed itself, or its image signed, but not neither", async () => {
  for (const isDocker of [false, true]) {
    const { layout, image, list } = await layoutWithList(isDocker ? "docker" : "oci", isDocker);
    await sign(layout, list, []);
    await assert.rejects(open(layout), { code: "untrusted", message: /no signature exists$/ });
    await sign(layout, list, [image]);
    await open(layout);
    await sign(layout, list, [list]);
    await open(layout);
  }
});

test("an archive has its signatures as the layout in it has", async () => {
  const { layout, image, list } = await layoutWithList("archived", false);
  await sign(layout, list, [image]);
  const archive = join(scratch.path, "image.tar");
  execFileSync("tar", ["-cf", archive, "-C", layout.directory, "."]);
  const platform = { os: "linux", architecture: "amd64" };
  await (await openImage(parseReference(`oci-archive:${archive}:v`), { platform, policy })).close();
});
