import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { buildUki, signPe } from "../../src/pe/index.ts";
import { attachSigned, readSealedUki } from "../../src/seal/index.ts";
import { tool } from "../images/copy/images.ts";
import { baseFiles, TEST_KEYS, ukiLayer, writeImage } from "../install/sealed-image.ts";
import { systemdFile } from "../pe/boot-files.ts";
import { syntheticKernel } from "../pe/synthetic-pe.ts";

const scratch = await mkdtemp(join(tmpdir(), "sealroot-attach-"));
after(() => rm(scratch, { recursive: true }));

test("attachSigned() puts the signed UKI into the image, wherever that goes", async () => {
  const uki = buildUki({
    stub: systemdFile("linuxx64.efi.stub"),
    osRelease: Buffer.from("ID=test\n"),
    commandLine: "composefs=00ff rw",
    kernelRelease: "6.12.107-test",
    kernel: syntheticKernel(),
    initramfs: Buffer.alloc(1001, 0x70),
  });
  const source = parseReference(await writeImage(scratch, [baseFiles(), ukiLayer(uki)]));
  const unsigned = await openImage(source);
  const extracted = await readSealedUki(unsigned);
  assert.deepEqual(Buffer.from(extracted), Buffer.from(uki));
  const signed = await signPe(extracted, TEST_KEYS.signer);
  for (const text of [
    `oci:${scratch}/signed:v1`,
    `oci-archive:${scratch}/signed.tar:v1`,
    `dir:${scratch}/signed-dir`,
  ]) {
    const written = await attachSigned(source, [{ path: "uki.efi", bytes: signed }], parseReference(text));
    const image = await openImage(parseReference(text));
    assert.equal(image.descriptor.digest, written.manifest.digest);
    assert.deepEqual(image.manifest.layers[0], unsigned.manifest.layers[0]);
    assert.deepEqual(Buffer.from(await readSealedUki(image)), Buffer.from(signed));
    await image.close();
    const raw = tool("skopeo", "inspect", "--raw", text);
    assert.equal(`sha256:${createHash("sha256").update(raw).digest("hex")}`, written.manifest.digest);
  }
  await unsigned.close();
});
