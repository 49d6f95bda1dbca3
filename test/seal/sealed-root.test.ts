/** What seal tells the initramfs about the root that it makes, read from the UKI of a sealed image. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type CpioEntry, readCpio } from "../../src/cpio/index.ts";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { readSealedUki } from "../../src/seal/index.ts";
import { run } from "../cli/run-verb.ts";
import { sealableImage } from "./sealable-image.ts";

const BASE = "usr/lib/sealroot";
const scratch = mkdtempSync(join(tmpdir(), "sealroot-sealed-root-"));
let plain: string;
before(async () => {
  plain = await sealableImage(scratch);
});
after(() => rmSync(scratch, { recursive: true }));

/** The command line and the files of ours in the initramfs of the image, sealed. */
async function seal(name: string, ...words: string[]) {
  const reference = `oci:${join(scratch, name)}:sealed`;
  const { exitCode, out, err } = await run("seal", plain, "-o", reference, "--unsigned", "--json", ...words);
  assert.equal(exitCode, 0, err);
  const image = await openImage(parseReference(reference));
  const { commandLine = "", initramfs = new Uint8Array() } = readUki(await readSealedUki(image));
  await image.close();
  const entries = new Map<string, CpioEntry>(readCpio(initramfs).entries.map((entry) => [entry.path, entry]));
  const file = (path: string): Buffer | undefined => {
    const entry = entries.get(`${BASE}/${path}`);
    return entry?.kind === "file" ? Buffer.from(entry.bytes) : undefined;
  };
  return { imageId: JSON.parse(out).imageId as string, commandLine, file };
}

test("the permit holds the sealed digest, and says whether fs-verity is required", async () => {
  const strict = await seal("strict", "--karg", "quiet");
  assert.equal(strict.commandLine, `composefs=${strict.imageId} rw quiet`);
  assert.equal(strict.file("permit")?.toString(), `composefs=${strict.imageId}\n`);
  const optional = await seal("optional", "--allow-missing-verity");
  assert.equal(optional.imageId, strict.imageId);
  assert.equal(optional.file("permit")?.toString(), `composefs=?${strict.imageId}\n`);
});

test("the permit holds both digests of a command line that names two images", async () => {
  const { commandLine, file } = await seal("both", "--erofs-version", "v1");
  const [, first, second] =
    /^composefs\.digest=v1-sha512-12:([0-9a-f]{128}) composefs=([0-9a-f]{128}) rw$/.exec(commandLine) ?? [];
  assert.notEqual(first, second);
  assert.equal(file("permit")?.toString(), `composefs.digest=v1-sha512-12:${first}\ncomposefs=${second}\n`);
});

test("the list of objects is that of the image on a disk", async () => {
  const { imageId, file } = await seal("listed");
  const repository = join(scratch, "repository");
  const words = ["image", "pull", "--repo", repository, "--bootable", `oci:${join(scratch, "listed")}:sealed`, "os"];
  for (const line of [["repo", "init", "--insecure", repository], words]) {
    const { exitCode, err } = await run(...line);
    assert.equal(exitCode, 0, err);
  }
  const { out } = await run("repo", "image-objects", "--repo", repository, imageId);
  const listed =
    file("objects")
      ?.toString("hex")
      .match(/.{128}/g) ?? [];
  assert.ok(listed.length > 10);
  assert.deepEqual(
    listed,
    out
      .trim()
      .split("\n")
      .map((line) => line.replace(/^.*:/, ""))
      .sort(),
  );
});
