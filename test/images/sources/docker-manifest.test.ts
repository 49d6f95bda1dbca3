import assert from "node:assert/strict";
import { test } from "node:test";
import { ociManifestOfDocker } from "../../../src/images/sources/docker-manifest.ts";
import { documentBytes } from "../../../src/oci/index.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const layer = (kind: string, digit: string) => ({
  mediaType: `application/vnd.docker.image.rootfs.${kind}`,
  size: 1,
  digest: digest(digit),
});
const DOCKER = {
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  config: { mediaType: "application/vnd.docker.container.image.v1+json", size: 7, digest: digest("a") },
  layers: [layer("diff.tar", "1"), layer("diff.tar.gzip", "2"), layer("diff.tar.zstd", "3")],
};

test("a manifest of Docker's becomes OCI's: media types change, blobs and configuration do not", () => {
  const foreign = { ...layer("foreign.diff.tar.gzip", "4"), urls: ["https://example.com/layer"] };
  const converted = ociManifestOfDocker(documentBytes({ ...DOCKER, layers: [...DOCKER.layers, foreign] }), "it");
  assert.deepEqual(JSON.parse(Buffer.from(converted).toString()), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", size: 7, digest: digest("a") },
    layers: [
      { mediaType: "application/vnd.oci.image.layer.v1.tar", size: 1, digest: digest("1") },
      { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", size: 1, digest: digest("2") },
      { mediaType: "application/vnd.oci.image.layer.v1.tar+zstd", size: 1, digest: digest("3") },
      {
        mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        size: 1,
        digest: digest("4"),
        urls: ["https://example.com/layer"],
      },
    ],
  });
});

test("what is not an image manifest of Docker's is refused", () => {
  const convert = (change: object) => () => ociManifestOfDocker(documentBytes({ ...DOCKER, ...change }), "it");
  const plugin = { ...DOCKER.config, mediaType: "application/vnd.docker.plugin.v1+json" };
  assert.throws(convert({ config: plugin }), {
    code: "unsupported",
    message: 'Cannot read Docker manifest: "application/vnd.docker.plugin.v1+json" is not an image',
  });
  assert.throws(convert({ layers: [{ ...layer("diff.tar", "1"), mediaType: "text/plain" }] }), {
    code: "unsupported",
    message: 'Cannot read Docker manifest: media type "text/plain" is not a layer',
  });
  assert.throws(convert({ schemaVersion: 1 }), { code: "corrupt" });
  assert.throws(convert({ mediaType: "application/vnd.oci.image.manifest.v1+json" }), { code: "corrupt" });
});
