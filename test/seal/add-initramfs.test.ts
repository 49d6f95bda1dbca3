import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findBootProgram, findType1Paths } from "../../src/bootimage/index.ts";
import { readCpio } from "../../src/cpio/index.ts";
import { stageDeployment } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import type { AddInitramfsReport } from "../../src/seal/index.ts";
import { run } from "../cli/run-verb.ts";
import { RELEASE } from "./initramfs/made-image.ts";
import { sealableImage } from "./sealable-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-add-initramfs-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const TRUSTING = "--insecure-policy";

let plain: string;
before(async () => {
  plain = await sealableImage(scratch);
  assert.equal((await run("keys", "generate", at("keys"))).exitCode, 0);
});

async function add(output: string, ...words: string[]): Promise<AddInitramfsReport> {
  const { exitCode, out, err } = await run("image", "add-initramfs", TRUSTING, plain, "-o", output, "--json", ...words);
  assert.equal(exitCode, 0, err);
  return JSON.parse(out);
}

/** What staging says about an image. */
async function staged(reference: string) {
  const path = mkdtempSync(at("repository-"));
  const options = { algorithm: "sha512", protection: "insecure" } as const;
  using repository = (await initRepository(join(path, "repository"), options)).repository;
  const image = await openImage(parseReference(reference), { policy: "accept-anything" });
  try {
    if (image.config === undefined) throw new Error("the image has a configuration");
    const { history } = image.config;
    const found = await stageDeployment(repository, { ...image, config: image.config }, reference, silent);
    const paths = findType1Paths(found.files);
    return {
      id: found.deploymentId,
      bootType: found.bootType,
      createdBy: history?.at(-1)?.created_by,
      kernel: found.files.read(paths.kernelPath),
      initramfs: found.files.read(paths.initramfsPath),
    };
  } finally {
    await image.close();
  }
}

test("image add-initramfs makes an image that can be staged without a seal, and says its ids before", async () => {
  const output = `oci:${at("first")}:v1`;
  const report = await add(output);
  const { initramfsSizeBytes, addedLayerSizeBytes, manifestDigest, ...facts } = report;
  const { id, bootType, createdBy, kernel, initramfs } = await staged(output);
  assert.equal(bootType, "bls");
  assert.equal(createdBy, "sealroot image add-initramfs");
  assert.deepEqual(facts, {
    reference: output,
    imageId: id,
    kernelRelease: RELEASE,
    initramfsPath: `/usr/lib/modules/${RELEASE}/initramfs.img`,
    bootDigest: createHash("sha256").update(kernel).update(initramfs).digest("hex"),
  });
  assert.equal(initramfs.length, initramfsSizeBytes);
  assert.ok(addedLayerSizeBytes > 0);
  assert.match(manifestDigest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(findBootProgram(initramfs), "sealroot");
  const entries = new Map(readCpio(initramfs).entries.map((entry) => [entry.path as string, entry]));
  const permit = entries.get("usr/lib/sealroot/permit");
  assert.ok(permit?.kind === "file" && Buffer.from(permit.bytes).toString() === "unsealed\n");
  assert.ok(!entries.has("usr/lib/sealroot/objects"));
  assert.equal(entries.get("init")?.mode, 0o755);
});

test("the same image gets the same bytes, and an initramfs that is there already is replaced", async () => {
  const first = await add(`oci:${at("again")}:v1`);
  assert.equal((await add(`oci:${at("once-more")}:v1`)).manifestDigest, first.manifestDigest);
  const source = `oci:${at("again")}:v1`;
  const { exitCode, out, err } = await run(
    "image",
    "add-initramfs",
    TRUSTING,
    source,
    "-o",
    `oci:${at("twice")}:v1`,
    "--json",
  );
  assert.equal(exitCode, 0, err);
  assert.equal(JSON.parse(out).bootDigest, first.bootDigest);
});

test("image add-initramfs in words says that nothing protects the disk", async () => {
  const output = `oci:${at("words")}:v1`;
  const { exitCode, out } = await run("image", "add-initramfs", TRUSTING, plain, "-o", output);
  assert.equal(exitCode, 0);
  assert.match(out, /^protection {3}none against changes of the disk: the image is not sealed$/m);
});

test("a sealed image, an image without initramfs to extend, and the image itself are refused", async () => {
  const sealed = `oci:${at("sealed")}:v1`;
  assert.equal((await run("seal", TRUSTING, plain, "-o", sealed, "--keys", at("keys"))).exitCode, 0);
  const refusals = [
    [[sealed, "-o", `oci:${at("no-1")}:v1`], `Cannot add an initramfs to the image: ${sealed} is sealed`],
    [
      [plain, "-o", `oci:${at("no-2")}:v1`, "--initramfs", "extend"],
      "Cannot extend the image's initramfs: it has none",
    ],
    [[plain, "-o", plain], `Cannot change ${plain}: it would be replaced by the image with its initramfs`],
  ] as const;
  for (const [words, message] of refusals) {
    const { exitCode, err } = await run("image", "add-initramfs", TRUSTING, ...words);
    assert.notEqual(exitCode, 0);
    assert.ok(err.includes(message), `${message}\n${err}`);
  }
});
