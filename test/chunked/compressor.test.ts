import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { byteString, byteStringOfText } from "../../src/bytes/index.ts";
import { ChunkedCompressor, checkAgainstTarSplit, FileCutter, readTarSplit, readToc } from "../../src/chunked/index.ts";
import { digestOf } from "../../src/oci/index.ts";
import { encodeTarHeader, type TarMember, writeTar } from "../../src/tar/index.ts";
import { collect, type FixtureLayer, fixtureLayers, inPieces, parts, rebuild, unzstd } from "./layers.ts";

const COMMON = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_700_000_000n };

/** In pieces that all lie in the same memory. */
async function* inOneBuffer(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(pieceBytes);
  for await (const piece of inPieces(bytes, pieceBytes)) {
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

async function compressed(tar: Uint8Array, pieceBytes = 1 << 20, level?: number) {
  const compressor = new ChunkedCompressor(level === undefined ? {} : { level });
  const blob = await collect(compressor.compress(inOneBuffer(tar, pieceBytes)));
  return { blob, annotations: compressor.annotations, refusal: compressor.refusal };
}

function file(path: string, body: Uint8Array): TarMember {
  return { header: { ...COMMON, kind: "file", path: byteStringOfText(path), sizeBytes: body.length }, body };
}

/** The table, less what depends on the compressor. */
function withoutOffsets(toc: string): string {
  return toc.replace(/"(?:offset|endOffset)":\d+,?|,"tarSplitDigest".*$/g, "");
}

/** Every file read by its table entry alone: frames of each chunk, chunk digests, file digest. */
async function bodiesByTable(layer: FixtureLayer): Promise<Map<string, Buffer>> {
  const { toc } = parts(layer);
  const bodies = new Map<string, Buffer>();
  for (const entry of readToc(Buffer.from(toc), layer.blob.length).entries) {
    if (entry.content === undefined) continue;
    const chunks = [];
    for (const chunk of entry.content.chunks) {
      const bytes = await unzstd(layer.blob.subarray(chunk.start, chunk.end));
      assert.equal(bytes.length, chunk.sizeBytes);
      if (chunk.digest !== undefined) assert.equal(digestOf(bytes), chunk.digest);
      if (chunk.isHole) assert.ok(bytes.every((byte) => byte === 0));
      chunks.push(bytes);
    }
    const body = Buffer.concat(chunks);
    assert.equal(digestOf(body), entry.content.digest);
    bodies.set(entry.name, body);
  }
  return bodies;
}

for (const [archive, layout] of [
  ["zstd-chunked-2layer", "zstd-chunked-2layer"],
  ["zstd-chunked-tail", "zstd-chunked-tail"],
] as const) {
  test(`${archive}: our table is the reference's: entries, fields, cuts, holes, digests`, async () => {
    for (const layer of fixtureLayers(archive, layout)) {
      const tar = await unzstd(layer.blob);
      const ours = await compressed(tar);
      assert.equal(withoutOffsets(parts(ours).toc), withoutOffsets(parts(layer).toc));
      assert.deepEqual(await unzstd(ours.blob), tar);
      const bodies = await bodiesByTable(ours);
      const rebuilt = await rebuild(parts(ours).tarSplit, (name) => bodies.get(name) ?? Buffer.alloc(0));
      assert.deepEqual(rebuilt, tar);
    }
  });
}

test("the 260 000 bytes of the fixture are cut where the reference cuts them, whatever pieces they come in", async () => {
  const [layer] = fixtureLayers("zstd-chunked-2layer", "zstd-chunked-2layer");
  assert.ok(layer);
  const tool = (await bodiesByTable(layer)).get("usr/bin/tool");
  assert.ok(tool);
  for (const pieceBytes of [1, 63, 4096, 260_000]) {
    const sizes: number[] = [];
    const cutter = new FileCutter(({ bytes }) => sizes.push(bytes.length));
    for await (const piece of inPieces(tool, pieceBytes)) cutter.write(piece);
    cutter.finish();
    assert.deepEqual(sizes, [31872, 3186, 40360, 74208, 51473, 44317, 14584]);
  }
});

test("a chunk is at most 4 MiB, of data and of a hole", () => {
  const chunks: [number, boolean][] = [];
  const cutter = new FileCutter(({ bytes, isHole }) => chunks.push([bytes.length, isHole]));
  // A constant byte never meets the cut condition; the zeros are one run.
  cutter.write(Buffer.alloc(5 << 20, 1));
  cutter.write(Buffer.alloc(13 << 20));
  cutter.write(Buffer.from("end"));
  cutter.finish();
  assert.deepEqual(chunks, [
    [4 << 20, false],
    [1 << 20, false],
    [4 << 20, true],
    [4 << 20, true],
    [4 << 20, true],
    [1 << 20, true],
    [3, false],
  ]);
});

test("runs of zeros: 1024 are a hole, 1023 at the end or in the middle are data", () => {
  const cut = (file: Buffer) => {
    const chunks: [number, boolean][] = [];
    const cutter = new FileCutter(({ bytes, isHole }) => chunks.push([bytes.length, isHole]));
    cutter.write(file);
    cutter.finish();
    return chunks;
  };
  const x = Buffer.from("x");
  assert.deepEqual(cut(Buffer.alloc(1024)), [[1024, true]]);
  assert.deepEqual(cut(Buffer.alloc(1023)), [[1023, false]]);
  assert.deepEqual(cut(Buffer.concat([x, Buffer.alloc(1023), x])), [[1025, false]]);
  assert.deepEqual(cut(Buffer.concat([x, Buffer.alloc(1024), x])), [
    [1, false],
    [1024, true],
    [1, false],
  ]);
  assert.deepEqual(cut(Buffer.alloc(0)), []);
});

/** Bodies that are cut in every way: noise, runs of zeros of all lengths, repetitions. */
const body = fc
  .array(
    fc.oneof(
      fc.tuple(fc.constant("zeros"), fc.oneof(fc.nat(3000), fc.constantFrom(1023, 1024, 1025))),
      fc.tuple(fc.constant("noise"), fc.oneof(fc.nat(200), fc.nat(90_000))),
      fc.tuple(fc.constant("text"), fc.nat(5000)),
    ),
    { maxLength: 4 },
  )
  .map((segments) =>
    Buffer.concat(
      segments.map(([kind, sizeBytes]) => {
        if (kind === "zeros") return Buffer.alloc(sizeBytes);
        if (kind === "text") return Buffer.alloc(sizeBytes, "text ");
        return createHash("shake256", { outputLength: sizeBytes }).update(String(sizeBytes)).digest();
      }),
    ),
  );

const name = fc.oneof(
  fc.stringMatching(/^[a-z]{1,12}$/),
  fc.constantFrom("é", "n".repeat(120), `${"long/".repeat(60)}end`, "a\nb", '"quoted"', "<&>", "𝄞"),
);

const member = fc.record({
  kind: fc.constantFrom("file", "file", "file", "directory", "symlink", "hardlink", "character-device", "fifo"),
  name,
  body,
  mode: fc.nat(0o7777),
  uid: fc.oneof(fc.nat(70_000), fc.constant(2 ** 31)),
  mtimeSeconds: fc.constantFrom(0n, 1n, 1_700_000_000n, 2n ** 33n, -5n),
  fraction: fc.constantFrom(0, 500_000_000, 123_456_789),
  xattr: fc.option(fc.uint8Array({ maxLength: 40 })),
});

test("property: a random tar comes back from all frames, and from tar-split and table; the pieces do not matter", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { maxLength: 12 }),
      fc.nat(3000),
      fc.integer({ min: 1, max: 100_000 }),
      async (drawn, tailBytes, pieceBytes) => {
        const members = drawn.map((one, index): TarMember => {
          const kind = one.kind as TarMember["header"]["kind"];
          const isLink = kind === "symlink" || kind === "hardlink";
          return {
            header: {
              kind,
              path: byteStringOfText(`${index}-${one.name}`),
              mode: one.mode,
              uid: one.uid,
              gid: one.uid,
              mtimeSeconds: one.mtimeSeconds,
              mtimeNanoseconds: one.mtimeSeconds < 0n ? 0 : one.fraction,
              ...(isLink ? { linkPath: byteStringOfText(one.name) } : {}),
              ...(kind === "file" ? { sizeBytes: one.body.length } : {}),
              ...(kind === "character-device" ? { device: { major: 5, minor: 1 } } : {}),
              ...(one.xattr === null ? {} : { xattrs: new Map([[byteStringOfText("user.x"), one.xattr]]) }),
            },
            ...(kind === "file" ? { body: one.body } : {}),
          };
        });
        const tar = Buffer.concat([await collect(writeTar(members)), Buffer.alloc(tailBytes)]);
        const layer = await compressed(tar, pieceBytes);
        assert.equal(layer.refusal, undefined);
        assert.deepEqual(await unzstd(layer.blob), tar);
        const { toc, tarSplit } = parts(layer);
        const bodies = await bodiesByTable(layer);
        assert.deepEqual(await rebuild(tarSplit, (path) => bodies.get(path) ?? Buffer.alloc(0)), tar);
        await checkAgainstTarSplit(readToc(Buffer.from(toc), layer.blob.length), readTarSplit([tarSplit]));
        assert.deepEqual(await compressed(tar, 1 << 20), layer);
      },
    ),
    { numRuns: 40 },
  );
});

test("a file gives the same frames in any tar, so that an update fetches only what changed", async () => {
  const big = createHash("shake256", { outputLength: 300_000 }).update("big").digest();
  const one = await compressed(await collect(writeTar([file("a", big)])));
  const two = await compressed(await collect(writeTar([file("new", Buffer.from("new")), file("b", big)])));
  const frames = (layer: FixtureLayer) => {
    const entries = readToc(Buffer.from(parts(layer).toc), layer.blob.length).entries;
    const content = entries.find(({ sizeBytes }) => sizeBytes === big.length)?.content;
    return content?.chunks.map(({ start, end }) => digestOf(layer.blob.subarray(start, end)));
  };
  assert.deepEqual(frames(one), frames(two));
});

test("the level changes the blob and not the tar; the footer repeats the annotations", async () => {
  const tar = await collect(writeTar([file("a", Buffer.alloc(200_000, "some text to compress, "))]));
  const layer = await compressed(tar, 1 << 20, 19);
  assert.notDeepEqual(layer.blob, (await compressed(tar)).blob);
  assert.deepEqual(await unzstd(layer.blob), tar);
  const { positions } = parts(layer);
  const footer = layer.blob.subarray(layer.blob.length - 72);
  assert.equal(footer.readUInt32LE(0), 0x184d2a50);
  assert.equal(footer.readUInt32LE(4), 64);
  const numbers = Array.from({ length: 7 }, (_, index) => Number(footer.readBigUInt64LE(8 + 8 * index)));
  const { toc, tarSplit } = positions;
  assert.deepEqual(numbers, [
    ...[toc.start, toc.end - toc.start, toc.uncompressedBytes, 1],
    ...[tarSplit?.start, (tarSplit?.end ?? 0) - (tarSplit?.start ?? 0), tarSplit?.uncompressedBytes],
  ]);
  assert.equal(footer.subarray(64).toString("latin1"), "GNUlInUx");
});

function headerOfType(typeFlag: string, sizeBytes: number): Buffer {
  const header = Buffer.from(encodeTarHeader({ ...COMMON, kind: "file", path: byteStringOfText("g"), sizeBytes }));
  header.write(typeFlag, 156, "latin1");
  header.write("        ", 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}
const GLOBAL = headerOfType("g", 0);

/** A file that is a hole: a PAX header, and no data. */
const SPARSE = Buffer.concat([
  headerOfType("x", 65),
  Buffer.from("21 GNU.sparse.size=5\n22 GNU.sparse.map=0,0\n22 GNU.sparse.name=aa\n".padEnd(512, "\0")),
  headerOfType("0", 0),
]);

const NO_TABLE: readonly [string, () => Promise<Buffer>][] = [
  [
    "two entries have the same path",
    () => collect(writeTar([file("a/b", Buffer.from("1")), file("a//b", Buffer.from("2"))])),
  ],
  ["a path has a .. in it", () => collect(writeTar([file("a/../b", Buffer.from("1"))]))],
  [
    "a directory is written as a file whose name ends with a slash",
    () => collect(writeTar([file("a/", Buffer.alloc(0))])),
  ],
  ["a sparse file", async () => SPARSE],
  ["a global header", async () => Buffer.concat([GLOBAL, await collect(writeTar([file("a", Buffer.from("1"))]))])],
  [
    "names that are not UTF-8, or times far away",
    () => collect(writeTar([{ header: { ...COMMON, kind: "directory", path: byteString(Buffer.from([0xe9])) } }])),
  ],
];

for (const [reason, tarOf] of NO_TABLE) {
  test(`no table: ${reason}; the blob is ordinary zstd of the tar`, async () => {
    const tar = await tarOf();
    const { blob, annotations, refusal } = await compressed(tar);
    assert.equal(refusal, reason);
    assert.deepEqual(annotations, {});
    assert.deepEqual(await unzstd(blob), tar);
  });
}

test("an empty stream becomes one empty frame and a table without entries", async () => {
  const layer = await compressed(Buffer.alloc(0));
  assert.deepEqual(await unzstd(layer.blob), Buffer.alloc(0));
  assert.match(parts(layer).toc, /^\{"version":1,"entries":\[\],"tarSplitDigest":"sha256:[0-9a-f]{64}"\}$/);
  assert.equal(zstdDecompressSync(layer.blob.subarray(0, 9)).length, 0);
});

test("what is not a tar is refused", async () => {
  await assert.rejects(compressed(Buffer.alloc(2000, "x")), { code: "corrupt" });
  const tar = await collect(writeTar([file("a", Buffer.alloc(3000))]));
  await assert.rejects(compressed(tar.subarray(0, 1000)), { code: "corrupt" });
});
