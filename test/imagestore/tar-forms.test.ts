/** Layers whose tar other readers take for something else than the reference does; docs/formats.md, "Layer". */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { byteString } from "../../src/bytes/index.ts";
import { findImage, imageTree, layerStreamName, pullImage } from "../../src/imagestore/index.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { initRepository } from "../../src/repository/index.ts";
import { readSplitStream, streamParts } from "../../src/splitstream/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { formatDump } from "../../src/tree/index.ts";
import { block, directory, file, pax, record } from "../tar/blocks.ts";
import { imageOfTars } from "./hand-made.ts";
import { scratchDirectory } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

let images = 0;

/** Pulls an image of one layer: its dump text without the root's line, and whether the layer comes out as it went in. */
async function pulled(...entries: Uint8Array[]): Promise<string[]> {
  const tar = Buffer.concat([...entries, END_OF_ARCHIVE]);
  const name = String(++images);
  const reference = imageOfTars(join(scratch.path, `layout-${name}`), [tar]);
  const path = join(scratch.path, `repository-${name}`);
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  await pullImage(repository, reference, { name });
  const { objectId } = repository.streams.resolve(layerStreamName(digestOf(tar)));
  const parts: Uint8Array[] = [];
  for await (const part of streamParts(readSplitStream(repository.objects.read(objectId)))) {
    parts.push("inline" in part ? Buffer.from(part.inline) : repository.objects.read(part.objectId));
  }
  assert.ok(Buffer.concat(parts).equals(tar), "the layer is not what it was");
  const root = await imageTree(repository, await findImage(repository, name), {
    bootable: false,
    keepUserXattrs: false,
  });
  return byteString(formatDump(root)).trimEnd().split("\n").slice(1);
}

const USR = directory("usr");
const USR_LINE = "/usr 0 40755 2 0 0 0 5.0 - - -";
const NEXT = file("usr/next", Buffer.from("after"));
const NEXT_LINE = "/usr/next 5 100644 1 0 0 0 5.0 - after -";

test("what has no body does not swallow the next file, whatever size it states", async () => {
  const size = { 124: "00000001130\0" };
  const x = { 0: "usr/x\0", ...size };
  for (const [entry, line] of [
    [block({ ...x, 156: "6" }), "/usr/x 0 10644 1 0 0 0 5.0 - - -"],
    [block({ ...x, 156: "3", 329: "0000001\0", 337: "0000003\0" }), "/usr/x 0 20644 1 0 0 259 5.0 - - -"],
    [block({ ...x, 156: "4", 329: "0000007\0", 337: "0000000\0" }), "/usr/x 0 60644 1 0 0 1792 5.0 - - -"],
    [block({ ...x, 156: "2", 157: "next" }), "/usr/x 4 120644 1 0 0 0 5.0 next - -"],
  ] as const) {
    assert.deepEqual(await pulled(USR, entry, NEXT), [USR_LINE, NEXT_LINE, line]);
  }
  const link = block({ ...x, 156: "1", 157: "usr/next" });
  assert.deepEqual(await pulled(USR, NEXT, link, file("usr/z", Buffer.from("z"))), [
    USR_LINE,
    "/usr/next 5 100644 2 0 0 0 5.0 - after -",
    "/usr/x 0 @120000 - - - - 0.0 /usr/next - -",
    "/usr/z 1 100644 1 0 0 0 5.0 - z -",
  ]);
  const inner = block({ ...size, 0: "usr/x/\0", 156: "5" });
  assert.deepEqual(await pulled(USR, inner, NEXT), [
    "/usr 0 40755 3 0 0 0 5.0 - - -",
    NEXT_LINE,
    "/usr/x 0 40644 2 0 0 0 5.0 - - -",
  ]);
});

test("the oldest form: directories by their slash, and files without a prefix", async () => {
  const old = { 257: "\0\0\0\0\0\0\0\0" };
  const usr = block({ ...old, 0: "usr/\0", 156: "\0", 100: "0000755\0" });
  const bin = block({ ...old, 0: "usr/bin/\0", 156: "0", 100: "0000755\0" });
  const tool = block({ ...old, 0: "usr/bin/tool\0", 156: "\0" });
  assert.deepEqual(await pulled(usr, bin, tool), [
    "/usr 0 40755 3 0 0 0 5.0 - - -",
    "/usr/bin 0 40755 2 0 0 0 5.0 - - -",
    "/usr/bin/tool 0 100644 1 0 0 0 5.0 - - -",
  ]);
});

test("ustar of any version keeps its prefix: no file moves", async () => {
  const moved = block({ 0: "next\0", 124: "00000000000\0", 263: "\0\0", 345: "usr\0" });
  assert.deepEqual(await pulled(USR, moved), [USR_LINE, "/usr/next 0 100644 1 0 0 0 5.0 - - -"]);
});

test("a device that Linux does not have is refused, and does not become a whiteout", async () => {
  const device = block({ 0: "usr/x\0", 156: "3", 329: "0010000\0" });
  await assert.rejects(pulled(USR, device), (error: Error) => {
    assert.match(error.message, /entry "usr\/x": device number 4096:0 does not exist on Linux$/);
    return true;
  });
  const last = block({ 0: "usr/x\0", 156: "4", 329: "0007777\0", 337: "3777777\0" });
  assert.deepEqual(await pulled(USR, last), [USR_LINE, "/usr/x 0 60644 1 0 0 4294967295 5.0 - - -"]);
});

test("times before 1970 keep their fraction", async () => {
  const old = Buffer.concat([pax(record("mtime", "-1.25")), file("usr/old", Buffer.from("1"))]);
  assert.deepEqual(await pulled(USR, old), [USR_LINE, "/usr/old 1 100644 1 0 0 0 -2.750000000 - 1 -"]);
});
