/** Documents as builders and registries get them wrong, where docker, podman and containerd do not mind. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { copyImage, openImage } from "../../src/images/index.ts";
import { MEDIA_TYPE, parsePlatform, parseReference } from "../../src/oci/index.ts";
import { DOCKER_MEDIA_TYPE } from "../../src/oci/media-types.ts";
import { platformRank } from "../../src/oci/platform.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { pulledIds } from "../imagestore/containers.ts";
import { configOf, HandMadeLayout, TAR_LAYER } from "../imagestore/hand-made.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { directory, file } from "../tar/blocks.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const TAR = Buffer.concat([directory("usr"), file("usr/tool", Buffer.alloc(200, "T")), END_OF_ARCHIVE]);
const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";

let layouts = 0;
function newLayout(): HandMadeLayout {
  return new HandMadeLayout(join(scratch.path, `layout-${++layouts}`));
}

interface Oddity {
  readonly blob?: Uint8Array;
  readonly layerType?: string;
  readonly configType?: string | undefined;
  readonly manifestType?: string;
  readonly config?: object;
  readonly manifest?: object;
}

/** An image of one layer that is odd in one way; its reference. */
function oddImage(odd: Oddity): string {
  const layout = newLayout();
  const manifestType = odd.manifestType ?? MEDIA_TYPE.manifest;
  const configType = "configType" in odd ? odd.configType : MEDIA_TYPE.config;
  const { mediaType: _, ...config } = layout.put({ ...configOf([TAR]), ...odd.config }, "");
  const layer = layout.put(odd.blob ?? TAR, odd.layerType ?? TAR_LAYER);
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: configType === undefined ? config : { mediaType: configType, ...config },
    layers: [layer],
    ...odd.manifest,
  };
  return layout.tag(layout.put(manifest, manifestType));
}

async function idsOf(odd: Oddity) {
  return pulledIds(scratch.path, oddImage(odd));
}

test("a layer is what its first bytes say, and a tar layer under every name it has in either kind of manifest", async () => {
  const expected = await idsOf({});
  const types = [
    ...[TAR_LAYER, `${TAR_LAYER}+gzip`, `${TAR_LAYER}+zstd`],
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ...[DOCKER_LAYER, `${DOCKER_LAYER}.gzip`, `${DOCKER_LAYER}.zstd`],
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  ];
  const blobs = [TAR, gzipSync(TAR), zstdCompressSync(TAR)];
  for (const [index, layerType] of types.entries()) {
    for (const manifestType of [MEDIA_TYPE.manifest, DOCKER_MEDIA_TYPE.manifest]) {
      const configType = manifestType === MEDIA_TYPE.manifest ? MEDIA_TYPE.config : DOCKER_MEDIA_TYPE.config;
      const odd = { blob: blobs[index % 3] ?? TAR, layerType, manifestType, configType };
      assert.deepEqual(await idsOf(odd), expected, `${layerType} in ${manifestType}`);
    }
  }
  for (const blob of blobs) assert.deepEqual(await idsOf({ blob, layerType: TAR_LAYER }), expected);
});

test("a layer of another kind is refused without a way out that leads in a circle", async () => {
  await assert.rejects(idsOf({ layerType: "application/vnd.example.thing" }), (error: Error & { data: object }) => {
    assert.match(
      error.message,
      /^Cannot read layer 1 of 1 \(sha256:[0-9a-f]{64}\): Cannot unpack it: media type "application\/vnd\.example\.thing" is not a tar layer$/,
    );
    assert.ok(!("hint" in error.data));
    return true;
  });
  await assert.rejects(idsOf({ layerType: `${TAR_LAYER}+gzip+encrypted` }), {
    data: { hint: "decrypt it first: skopeo copy --decryption-key KEY" },
  });
});

test("Docker manifests: the configuration's type may be any that docker takes for an image", async () => {
  const expected = await idsOf({});
  const mistaken = ["application/octet-stream", "application/json", "text/html", "", undefined, MEDIA_TYPE.config];
  for (const configType of [DOCKER_MEDIA_TYPE.config, ...mistaken]) {
    const odd = { manifestType: DOCKER_MEDIA_TYPE.manifest, configType, layerType: `${DOCKER_LAYER}.gzip` };
    assert.deepEqual(await idsOf(odd), expected, String(configType));
  }
  const plugin = "application/vnd.docker.plugin.v1+json";
  await assert.rejects(idsOf({ manifestType: DOCKER_MEDIA_TYPE.manifest, configType: plugin }), {
    code: "unsupported",
    message: `Cannot read Docker manifest: "${plugin}" is not an image`,
  });
});

test("an OCI manifest with Docker's type of configuration is an image, and becomes OCI's whole", async () => {
  const reference = oddImage({ configType: DOCKER_MEDIA_TYPE.config });
  assert.deepEqual(await pulledIds(scratch.path, reference), await idsOf({}));
  const image = await openImage(parseReference(reference), { policy: ACCEPT_ANYTHING });
  await image.close();
  assert.equal(image.manifest.config.mediaType, MEDIA_TYPE.config);
  assert.notEqual(image.descriptor.digest, image.original.descriptor.digest);
});

test("a configuration without a platform: copied unchanged, not pulled, and the reason is given", async () => {
  for (const [config, missing] of [
    [{ architecture: undefined }, "architecture"],
    [{ os: null }, "os"],
    [{ architecture: null, os: undefined }, "architecture and os"],
  ] as const) {
    const reference = oddImage({ config });
    const target = join(scratch.path, `copy-${layouts}`);
    const written = await copyImage(parseReference(reference), parseReference(`oci:${target}:t`), {
      policy: ACCEPT_ANYTHING,
    });
    const image = await openImage(parseReference(`oci:${target}:t`), { policy: ACCEPT_ANYTHING });
    await image.close();
    assert.equal(image.descriptor.digest, written.descriptor.digest);
    const { digest } = image.manifest.config;
    const copied = readFileSync(join(target, "blobs/sha256", digest.slice(7)));
    assert.deepEqual(JSON.parse(copied.toString()), JSON.parse(JSON.stringify({ ...configOf([TAR]), ...config })));
    await assert.rejects(pulledIds(scratch.path, reference), {
      code: "unsupported",
      message: `Cannot use image configuration ${digest}: it does not say its ${missing}`,
      data: { hint: "build the image again for a platform, such as podman build --platform linux/amd64" },
    });
  }
});

test("null is an empty list, and what is absent", async () => {
  const nothing = { history: null, created: null, config: { Env: null, Labels: null, Cmd: null } };
  assert.deepEqual(
    (await idsOf({ config: nothing, manifest: { annotations: null, subject: null } })).imageIds,
    (await idsOf({})).imageIds,
  );
  // An image of no layers has no /usr, which is another matter.
  const empty = { config: { rootfs: { type: "layers", diff_ids: null } }, manifest: { layers: null } };
  const noUsr = {
    code: "unsupported",
    message: 'Cannot make the root file system: Directory entry "usr" does not exist',
  };
  await assert.rejects(idsOf(empty), noUsr);
  await assert.rejects(idsOf({ ...empty, manifest: { layers: null, mediaType: null } }), noUsr);
  // A list that is not there at all is a fault.
  await assert.rejects(idsOf({ manifest: { layers: undefined } }), {
    code: "corrupt",
    message: /^Cannot read image manifest: layers: /,
  });
  const layout = newLayout();
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: null };
  const reference = layout.tag(layout.put(index, MEDIA_TYPE.index));
  await assert.rejects(pulledIds(scratch.path, reference), { code: "not-found" });
});

test("platforms: each level of amd64 runs what is made for those below it", () => {
  const rank = (wanted: string, offered: string) => platformRank(parsePlatform(wanted), parsePlatform(offered));
  const best = (wanted: string, ...offered: string[]) =>
    offered
      .filter((one) => rank(wanted, one) !== undefined)
      .sort((a, b) => (rank(wanted, a) ?? 0) - (rank(wanted, b) ?? 0))
      .map((one) => one.slice("linux/amd64".length));
  const all = ["linux/amd64/v4", "linux/amd64/v1", "linux/amd64", "linux/amd64/v3", "linux/amd64/v2", "linux/arm64"];
  assert.deepEqual(best("linux/amd64/v3", ...all), ["/v3", "/v2", "/v1", ""]);
  assert.deepEqual(best("linux/amd64/v2", ...all), ["/v2", "/v1", ""]);
  assert.deepEqual(best("linux/amd64/v1", ...all), ["/v1", ""]);
  // Nobody knows what the machine has: what every machine runs comes first.
  assert.deepEqual(best("linux/amd64", ...all), ["", "/v1", "/v2", "/v3", "/v4"]);
  assert.deepEqual(rank("linux/arm", "linux/arm/v8"), 1);
});
