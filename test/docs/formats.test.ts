import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type ErofsForm, writeErofs } from "../../src/erofs/index.ts";
import { readChunks, readSplitStream, SplitStreamWriter } from "../../src/splitstream/index.ts";
import { formatDump, parseDump } from "../../src/tree/index.ts";
import { VerityHasher, verityDescriptor, verityDigest } from "../../src/verity/index.ts";
import { fencedBlocks, readDocument, type ShownBytes, shownBytes } from "./markdown.ts";

const FORMATS = readDocument("formats.md");

/** The only block of its kind. */
function onlyBlock(info: string): string {
  const [block, ...others] = fencedBlocks(FORMATS, info);
  assert.ok(block !== undefined && others.length === 0, `one block "${info}"`);
  return block;
}

function assertShown(block: string, bytes: Uint8Array): void {
  const actual = shownBytes(block).map(({ offset, hex }): ShownBytes => {
    const part = bytes.subarray(offset, offset + hex.length / 2);
    return { offset, hex: Buffer.from(part).toString("hex") };
  });
  assert.deepEqual(shownBytes(block), actual);
}

/** Whether every line that a hex block leaves out is zero, as the text says. */
function assertRestIsZero(block: string, bytes: Uint8Array, exceptions: readonly [number, number][]): void {
  const rest = Buffer.from(bytes);
  for (const { offset, hex } of shownBytes(block)) rest.fill(0, offset, offset + hex.length / 2);
  for (const [start, end] of exceptions) rest.fill(0, start, end);
  assert.equal(
    rest.findIndex((byte) => byte !== 0),
    -1,
  );
}

const digestsOf = (block: string) =>
  block
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" "));

test("docs/formats.md: fs-verity descriptor and digests of the example", () => {
  const content = Buffer.from("hello world");
  const hasher = new VerityHasher("sha256");
  hasher.update(content);
  const descriptor = verityDescriptor("sha256", content.length, hasher.rootHash());
  assertShown(onlyBlock("hex descriptor"), descriptor);
  assertRestIsZero(onlyBlock("hex descriptor"), descriptor, []);
  assert.deepEqual(digestsOf(fencedBlocks(FORMATS, "digests")[0] ?? ""), [
    ["sha256", verityDigest(content, "sha256")],
    ["sha512", verityDigest(content, "sha512")],
  ]);
});

test("docs/formats.md: the dump text is as it would be written", () => {
  const text = onlyBlock("dump");
  assert.equal(Buffer.from(formatDump(parseDump(Buffer.from(text)))).toString(), text);
});

function imageOfExample(form: ErofsForm): Uint8Array {
  return writeErofs(parseDump(Buffer.from(onlyBlock("dump"))), { form, algorithm: "sha256" });
}

test("docs/formats.md: the EROFS images of the example", () => {
  assertShown(onlyBlock("hex v2"), imageOfExample("v2"));
  assertShown(onlyBlock("hex v1"), imageOfExample("v1"));
  // The digest and the redirect go on where lines are left out.
  assertRestIsZero(onlyBlock("hex v2"), imageOfExample("v2"), [[0x570, 0x5e0]]);
  assert.equal(imageOfExample("v2").length, 4096);
  assert.equal(imageOfExample("v1").length, 16384);
  const forms = ["v0", "v1", "v2"] as const;
  assert.deepEqual(
    digestsOf(fencedBlocks(FORMATS, "digests")[1] ?? ""),
    forms.map((form) => [form, verityDigest(imageOfExample(form), "sha256")]),
  );
});

test("docs/formats.md: the split stream of the example", async () => {
  const writer = new SplitStreamWriter("sha256", "ocilayer");
  writer.inline(Buffer.from("head"));
  writer.external("0123456789abcdef".repeat(4), 5000);
  writer.inline(Buffer.from("tail!"));
  writer.nameRef("composefs.image.v1", "f".repeat(64));
  const bytes = await writer.finish();
  assertShown(onlyBlock("hex stream"), bytes);
  const stream = readSplitStream(bytes);
  const { chunks, names } = await decompressed(bytes);
  assert.deepEqual([...stream.namedRefs], [["composefs.image.v1", "f".repeat(64)]]);
  assertShown(onlyBlock("hex chunks"), chunks);
  assert.equal(shownBytes(onlyBlock("hex chunks")).at(-1)?.offset, chunks.length - 1);
  assertShown(onlyBlock("hex names"), names);
  const parts: string[] = [];
  await readChunks(stream, {
    inline: (part) => parts.push(Buffer.from(part).toString()),
    external: (objectId) => parts.push(objectId),
  });
  assert.deepEqual(parts, ["head", "0123456789abcdef".repeat(4), "tail!"]);
});

/** The two compressed sections, found by the ranges in the info block. */
async function decompressed(bytes: Uint8Array): Promise<{ chunks: Uint8Array; names: Uint8Array }> {
  const { zstdDecompressSync } = await import("node:zlib");
  const { readHead } = await import("../../src/splitstream/header.ts");
  const { stream, namedRefs } = readHead(bytes);
  return {
    chunks: zstdDecompressSync(bytes.subarray(stream.start, stream.end)),
    names: zstdDecompressSync(bytes.subarray(namedRefs.start, namedRefs.end)),
  };
}

test("docs/formats.md: every limit has its name where the table says", () => {
  const rows = [...FORMATS.matchAll(/\| `([A-Z_]+)` \| `(src\/[^`]+)` \|$/gm)];
  assert.ok(rows.length >= 15);
  for (const [, name = "", path = ""] of rows) {
    const source = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
    assert.match(source, new RegExp(`\\bconst ${name}\\b`), path);
  }
});
