import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { compressionOf, decompressLayer } from "../../src/oci/layer-compression.ts";

const TAR = Buffer.alloc(2048, "usr/");

async function decompressed(blob: Uint8Array, stated: "none" | "gzip" | "zstd", pieceBytes = 1000): Promise<Buffer> {
  async function* pieces() {
    for (let at = 0; at < blob.length; at += pieceBytes) {
      const piece = Uint8Array.from(blob.subarray(at, at + pieceBytes));
      yield piece;
      piece.fill(0xee);
    }
  }
  const parts: Uint8Array[] = [];
  for await (const part of decompressLayer(pieces(), stated)) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

test("the first bytes tell gzip, zstd with and without a skippable frame in front, and neither", () => {
  const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  assert.equal(compressionOf(gzipSync(TAR)), "gzip");
  assert.equal(compressionOf(zstdCompressSync(TAR)), "zstd");
  assert.equal(compressionOf(skippable), "zstd");
  assert.equal(compressionOf(TAR), "none");
  assert.equal(compressionOf(new Uint8Array(0)), "none");
});

test("a blob that is not compressed as stated is read as what it is", async () => {
  for (const stated of ["none", "gzip", "zstd"] as const) {
    for (const blob of [TAR, gzipSync(TAR), zstdCompressSync(TAR)]) {
      assert.deepEqual(await decompressed(blob, stated), TAR);
      assert.deepEqual(await decompressed(blob, stated, 1), TAR);
    }
  }
});

test("another compression is named", async () => {
  const heads = { xz: "fd377a585a00", bzip2: "425a68393141", lz4: "04224d186440" };
  for (const [name, head] of Object.entries(heads)) {
    for (const pieceBytes of [1, 1000]) {
      await assert.rejects(decompressed(Buffer.from(head.padEnd(64, "0"), "hex"), "gzip", pieceBytes), {
        code: "unsupported",
        message: `Cannot decompress layer: it is compressed with ${name}`,
      });
    }
  }
});

test("an empty blob is neither a gzip stream nor a layer", async () => {
  await assert.rejects(decompressed(new Uint8Array(0), "gzip"), { code: "corrupt" });
  assert.deepEqual(await decompressed(new Uint8Array(0), "none"), Buffer.alloc(0));
});
