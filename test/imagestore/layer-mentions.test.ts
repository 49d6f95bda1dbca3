/** Layers are searched for attributes without being taken apart: what is said to be nowhere is nowhere. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import { mayHaveXattrs, pullImage, readStoredImage, storedLayers } from "../../src/imagestore/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import type { TarMember } from "../../src/tar/index.ts";
import { file, layeredImage, randomFiles } from "./layered-image.ts";

const PREFIXES = ["user.", "system.posix_acl_"];

/** Pulls an image of these layers. @returns what is said of it */
async function said(layers: readonly (readonly TarMember[])[]): Promise<boolean> {
  using scratch = temporaryDirectory();
  const { reference } = await layeredImage(join(scratch.path, "layout"), layers);
  const made = await initRepository(join(scratch.path, "repo"), { algorithm: "sha256", protection: "insecure" });
  using repository = made.repository;
  const { manifestDigest } = await pullImage(repository, reference, { policy: "accept-anything" });
  const stored = await readStoredImage(repository, manifestDigest);
  assert.ok(stored !== undefined);
  return await mayHaveXattrs(repository, storedLayers(stored), PREFIXES);
}

function withXattr(name: string, sizeBytes: number, attribute: string, valueBytes = 1): TarMember {
  const made = file(name, Buffer.alloc(sizeBytes, "content "));
  const xattrs = new Map([[byteStringOfText(attribute) as ByteString, Buffer.alloc(valueBytes, "v")]]);
  return { ...made, header: { ...made.header, xattrs } };
}

test("layers without, with other attributes, with one in any layer", async () => {
  const plain = randomFiles("plain", [0, 1, 63, 64, 65, 5000, 100_000]);
  const others = [withXattr("capable", 5000, "security.capability"), withXattr("labelled", 10, "security.selinux")];
  assert.equal(await said([[]]), false);
  assert.equal(await said([plain, others]), false);
  assert.equal(await said([plain, [withXattr("noted", 5000, "user.note")]]), true);
  assert.equal(await said([[withXattr("listed", 0, "system.posix_acl_default", 3000)], plain]), true);
});

test("one among very many headers, wherever it is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(300), { maxLength: 400 }), fc.nat(400), fc.boolean(), async (sizes, at, has) => {
      const members = randomFiles("file", sizes);
      if (has) members.splice(at % (members.length + 1), 0, withXattr("noted", 10, "user.note"));
      assert.equal(await said([members]), has);
    }),
    { numRuns: 25 },
  );
});
