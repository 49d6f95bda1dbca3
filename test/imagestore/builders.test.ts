/** Images as umoci and buildah make them, in all the forms in which buildah hands them out. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openImage } from "../../src/images/index.ts";
import { imageHistory, pullImage } from "../../src/imagestore/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { unmountBelow } from "../images/podman/stores.ts";
import { pulledIds, skopeoCopy } from "./containers.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-builders-"));
const at = (name: string) => join(scratch, name);
after(() => {
  unmountBelow(scratch);
  rmSync(scratch, { recursive: true, force: true });
});

function tool(name: string, ...words: string[]): string {
  const env = { ...process.env, TMPDIR: scratch };
  return execFileSync(name, words, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** Digests of the root file system's images. */
async function imageIds(reference: string): Promise<readonly string[]> {
  return (await pulledIds(scratch, reference)).imageIds;
}

async function historyOf(reference: string): Promise<(string | undefined)[]> {
  const image = await openImage(parseReference(reference));
  await image.close();
  const { config, manifest, descriptor } = image;
  assert.ok(config !== undefined);
  const steps = imageHistory({ config, manifest, manifestDigest: descriptor.digest });
  return steps.map(({ layer }) => layer?.diffId);
}

test("umoci: layers one by one, and a step that changes only the configuration", async () => {
  const layout = at("umoci");
  tool("umoci", "init", "--layout", layout);
  tool("umoci", "new", "--image", `${layout}:empty`);
  const noRoot = /^Cannot make the root file system: Directory entry "usr" does not exist$/;
  // An image of no layers has no /usr to take the root's metadata from, which the format needs.
  await assert.rejects(imageIds(`oci:${layout}:empty`), { code: "unsupported", message: noRoot });
  let from = "empty";
  for (const tag of ["one", "two"]) {
    const bundle = at(`bundle-${tag}`);
    tool("umoci", "unpack", "--rootless", "--image", `${layout}:${from}`, bundle);
    mkdirSync(join(bundle, "rootfs/usr/bin"), { recursive: true });
    writeFileSync(join(bundle, "rootfs/usr/bin", tag), tag.repeat(5000));
    tool("umoci", "repack", "--image", `${layout}:${tag}`, bundle);
    from = tag;
  }
  tool("umoci", "config", "--image", `${layout}:two`, "--tag", "configured", "--config.entrypoint", "/usr/bin/first");
  const ids = await imageIds(`oci:${layout}:two`);
  assert.deepEqual(await imageIds(`oci:${layout}:configured`), ids);
  skopeoCopy(`oci:${layout}:two`, `dir:${at("umoci-dir")}`);
  assert.deepEqual(await imageIds(`dir:${at("umoci-dir")}`), ids);
  const steps = await historyOf(`oci:${layout}:configured`);
  assert.equal(steps.at(-1), undefined);
  assert.equal(new Set(steps.slice(0, -1)).size, 2);
});

test("buildah: one image in every form, with annotations and an empty layer", async () => {
  const buildah = (...words: string[]) =>
    tool("buildah", "--root", at("buildah"), "--runroot", at("buildah-run"), "--storage-driver", "vfs", ...words);
  const scratchContainer = buildah("from", "scratch");
  mkdirSync(at("root/usr/bin"), { recursive: true });
  writeFileSync(at("root/usr/bin/tool"), "tool".repeat(5000));
  buildah("copy", scratchContainer, at("root"), "/");
  buildah("config", "--annotation", "org.example.note=kept", "--env", "A=b", scratchContainer);
  buildah("commit", "--quiet", scratchContainer, "base");
  const unchanged = buildah("from", "base");
  buildah("commit", "--quiet", unchanged, "again");
  const push = (target: string, ...options: string[]) => buildah("push", "--quiet", ...options, "again", target);
  push(`oci:${at("b-layout")}:v1`);
  push(`oci-archive:${at("b-oci.tar")}:v1`);
  push(`docker-archive:${at("b-docker.tar")}:example/again:v1`);
  push(`dir:${at("b-oci-dir")}`, "--format", "oci");
  push(`dir:${at("b-docker-dir")}`, "--format", "v2s2");
  const ids = await imageIds(`oci:${at("b-layout")}:v1`);
  for (const reference of [
    `oci-archive:${at("b-oci.tar")}:v1`,
    `docker-archive:${at("b-docker.tar")}`,
    `dir:${at("b-oci-dir")}`,
    `dir:${at("b-docker-dir")}`,
  ]) {
    assert.deepEqual(await imageIds(reference), ids, reference);
  }
  const image = await openImage(parseReference(`oci:${at("b-layout")}:v1`));
  await image.close();
  assert.equal(image.manifest.annotations?.["org.example.note"], "kept");
  const { repository } = await initRepository(at("both"), { algorithm: "sha256", protection: "insecure" });
  using _ = repository;
  await pullImage(repository, `oci:${at("b-layout")}:v1`, { name: "layout" });
  const { statistics } = await pullImage(repository, `dir:${at("b-docker-dir")}`, { name: "docker" });
  assert.equal(statistics.fetchedBytes, 0);
});
