import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { readChunks, readSplitStream, SplitStreamWriter } from "../../src/splitstream/index.ts";
import { unzstdWhole } from "../../src/zstd/index.ts";

const ID_A = "a1".repeat(32);
const ID_B = "b2".repeat(32);
const ID_C = "c3".repeat(32);
const VECTORS = new URL("../vectors/repo/", import.meta.url).pathname;

async function chunksOf(bytes: Uint8Array): Promise<(string | Buffer)[]> {
  const chunks: (string | Buffer)[] = [];
  await readChunks(readSplitStream(bytes), {
    inline: (part) => {
      const last = chunks.at(-1);
      if (last instanceof Buffer) chunks[chunks.length - 1] = Buffer.concat([last, part]);
      else chunks.push(Buffer.from(part));
    },
    external: (id) => chunks.push(id),
  });
  return chunks;
}

test("the worked example of repository.md 4: sections, chunks and size lie where they should", async () => {
  const writer = new SplitStreamWriter("sha256", "ocilayer");
  writer.inline(Buffer.alloc(512, 1));
  writer.inline(Buffer.alloc(512, 2));
  writer.external(ID_A, 150);
  writer.inline(Buffer.alloc(1386, 3));
  const bytes = Buffer.from(await writer.finish());
  assert.equal(bytes.toString("latin1", 0, 11), "SplitStream");
  assert.deepEqual([...bytes.subarray(11, 16)], [0, 0, 0, 1, 12]);
  const words = Array.from({ length: 12 }, (_, word) => Number(bytes.readBigUInt64LE(16 + 8 * word)));
  assert.deepEqual(words.slice(0, 6), [32, 112, 112, 112, 112, 144]);
  const [streamStart, streamEnd, namesStart, namesEnd] = words.slice(6, 10);
  assert.deepEqual([namesStart, namesEnd, streamStart, streamEnd], [144, 153, 153, bytes.length]);
  assert.equal(bytes.toString("latin1", 96, 104), "ocilayer");
  assert.equal(words[11], 2560);
  // An empty section of names is still a frame, of these very bytes.
  assert.equal(bytes.toString("hex", 144, 153), "28b52ffd2000010000");
  const chunks = Buffer.from(unzstdWhole(bytes.subarray(153), 1 << 20));
  assert.equal(chunks.readBigInt64LE(0), -1024n);
  assert.equal(chunks.readBigInt64LE(8 + 1024), 0n);
  assert.equal(chunks.readBigInt64LE(16 + 1024), -1386n);
  assert.equal(chunks.length, 24 + 1024 + 1386);
});

test("objects are listed once, in the order of first use", async () => {
  const writer = new SplitStreamWriter("sha256", "ocilayer");
  for (const id of [ID_B, ID_A, ID_B, ID_C, ID_A]) writer.external(id, 100);
  const bytes = await writer.finish();
  assert.deepEqual(readSplitStream(bytes).objectRefs, [ID_B, ID_A, ID_C]);
  assert.deepEqual(await chunksOf(bytes), [ID_B, ID_A, ID_B, ID_C, ID_A]);
});

test("named references are sorted by bytes, share ids, and may contain colons", async () => {
  const writer = new SplitStreamWriter("sha256", "ociconfg");
  writer.nameRef("sha256:layer", ID_A);
  writer.nameRef("composefs.image.v1", ID_B);
  writer.nameRef("composefs.image", ID_B);
  writer.nameRef("é", ID_A);
  const stream = readSplitStream(await writer.finish());
  assert.deepEqual(
    [...stream.namedRefs],
    [
      ["composefs.image", ID_B],
      ["composefs.image.v1", ID_B],
      ["sha256:layer", ID_A],
      ["é", ID_A],
    ],
  );
  assert.deepEqual(stream.streamRefs, [ID_A, ID_B]);
});

test("property: any sequence of parts comes back, adjacent inline bytes as one chunk", async () => {
  const part = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 2000 }), fc.constantFrom(ID_A, ID_B, ID_C));
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 60 }), async (parts) => {
      const writer = new SplitStreamWriter("sha256", "ocilayer");
      const expected: (string | Buffer)[] = [];
      for (const item of parts) {
        if (typeof item === "string") {
          writer.external(item, 65);
          expected.push(item);
        } else {
          writer.inline(item);
          writer.mayBreak();
          const last = expected.at(-1);
          if (last instanceof Buffer) expected[expected.length - 1] = Buffer.concat([last, item]);
          else expected.push(Buffer.from(item));
        }
      }
      assert.deepEqual(await chunksOf(await writer.finish()), expected);
    }),
    { numRuns: 60 },
  );
});

test("a very long inline run is cut only where it may be", async () => {
  const writer = new SplitStreamWriter("sha512", "ocilayer");
  const block = Buffer.alloc(1 << 20, 7);
  for (let block_ = 0; block_ < 40; block_++) {
    writer.inline(block);
    writer.mayBreak();
    await writer.drained();
  }
  const stream = readSplitStream(await writer.finish());
  assert.equal(stream.sizeBytes, 40 << 20);
  const raw = Buffer.from(unzstdWhole(stream.compressedChunks, 64 << 20));
  const lengths: number[] = [];
  for (let at = 0; at < raw.length; at += 8 - (lengths.at(-1) ?? 0)) lengths.push(Number(raw.readBigInt64LE(at)));
  assert.deepEqual(lengths, [-(16 << 20), -(16 << 20), -(8 << 20)]);
});

test("a stream of another algorithm or content type is refused with both named", async () => {
  const bytes = await new SplitStreamWriter("sha256", "ocilayer").finish();
  assert.throws(() => readSplitStream(bytes, { algorithm: "sha512" }), {
    code: "conflict",
    message: 'Cannot read split stream: hash algorithm is "sha256", expected "sha512"',
  });
  assert.throws(() => readSplitStream(bytes, { contentType: "ociconfg" }), {
    code: "conflict",
    message: 'Cannot read split stream: content type is "ocilayer", expected "ociconfg"',
  });
});

test("every truncation and every flipped byte of header and tables gives an error or a stream, never a crash", async () => {
  const writer = new SplitStreamWriter("sha256", "ociconfg");
  writer.inline(Buffer.from("{}"));
  writer.external(ID_A, 100);
  writer.nameRef("composefs.image", ID_B);
  const bytes = Buffer.from(await writer.finish());
  for (let length = 0; length < bytes.length; length++) {
    await assert.rejects(
      async () => chunksOf(bytes.subarray(0, length)),
      { name: "SealrootError" },
      `cut to ${length}`,
    );
  }
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const broken = Buffer.from(bytes);
      broken[at] = (broken[at] as number) ^ flip;
      await chunksOf(broken).catch((error: unknown) => {
        assert.equal((error as Error).name, "SealrootError", `byte ${at} ^ ${flip}: ${error}`);
      });
    }
  }
});

test("streams with the old header are read (vector 40)", async () => {
  const scratch = await mkdtemp(join(tmpdir(), "sealroot-splitstream-"));
  try {
    execFileSync("tar", ["-xzf", join(VECTORS, "40-old-format-repository", "repository.tar.gz"), "-C", scratch]);
    const streams = join(scratch, "repo", "streams");
    const names = (await readdir(streams)).filter((name) => name.startsWith("oci-"));
    assert.ok(names.length >= 3);
    for (const name of names) {
      const bytes = await readFile(join(streams, await readlink(join(streams, name))));
      assert.equal(bytes.toString("latin1", 18, 29), "SplitStream");
      const stream = readSplitStream(bytes, { algorithm: "sha256" });
      const kind = { l: "ocilayer", c: "ociconfg", m: "ocimanif" }[name.slice(4, 5)];
      assert.equal(stream.contentType, kind);
      let inlineBytes = 0;
      await readChunks(stream, { inline: (part) => (inlineBytes += part.length), external: () => {} });
      assert.ok(inlineBytes <= stream.sizeBytes);
    }
  } finally {
    await rm(scratch, { recursive: true });
  }
});
