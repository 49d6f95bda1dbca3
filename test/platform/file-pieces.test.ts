import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { filePieces, temporaryDirectory } from "../../src/platform/index.ts";

const PIECE_BYTES = 1 << 20;
const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());
const path = join(directory.path, "file");
const content = randomBytes(3 * PIECE_BYTES + 5);
writeFileSync(path, content);

async function read(start: number, end: number): Promise<Buffer> {
  await using file = await open(path);
  const parts: Buffer[] = [];
  for await (const piece of filePieces(file, start, end)) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

test("filePieces() gives the bytes of a range, however long", async () => {
  const lengths = [0, 1, 4095, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 3 * PIECE_BYTES - 2];
  for (const length of lengths) {
    for (const start of [0, 7])
      assert.ok((await read(start, start + length)).equals(content.subarray(start, start + length)));
  }
  assert.ok((await read(0, content.length)).equals(content));
});

test("filePieces() uses two memories in turn, and reads the next piece while one is used", async () => {
  await using file = await open(path);
  const buffers = new Set<ArrayBufferLike>();
  const pieces = filePieces(file, 0, content.length);
  const { value } = await pieces.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(
    content.subarray(0, PIECE_BYTES).equals(value ?? new Uint8Array(0)),
    "it is valid until the next is requested",
  );
  for await (const { buffer } of pieces) buffers.add(buffer);
  assert.equal(buffers.size, 2);
});

test("filePieces() ends where the file does, and can be left early", async () => {
  const short = join(directory.path, "short");
  writeFileSync(short, content);
  truncateSync(short, PIECE_BYTES + 3);
  await using file = await open(short);
  let length = 0;
  for await (const piece of filePieces(file, 0, content.length)) length += piece.length;
  assert.equal(length, PIECE_BYTES + 3);
  for await (const piece of filePieces(file, 0, content.length)) {
    assert.equal(piece.length, PIECE_BYTES);
    break;
  }
});

test("filePieces() throws what reading does", async () => {
  await using folder = await open(directory.path);
  await assert.rejects(filePieces(folder, 0, 10).next(), { code: "EISDIR" });
});
