import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../src/bytes/index.ts";
import { readErofs, writeErofs } from "../../src/erofs/index.ts";
import { parseDump } from "../../src/tree/index.ts";
import { directory, file, symlink } from "../tree/build.ts";

const SLOT_BYTES = 32;

function imageOf(lines: readonly string[], form: "v0" | "v2"): { image: Buffer; view: DataView } {
  const text = ["/ 0 40755 2 0 0 0 1000.0 - - -", ...lines].join("\n");
  const image = Buffer.from(writeErofs(parseDump(Buffer.from(text)), { form, algorithm: "sha256", dialect: "c" }));
  return { image, view: new DataView(image.buffer, image.byteOffset, image.length) };
}

/** Where the inode is whose record in some directory is the first with this name. */
function inodeOffset(image: Buffer, name: string): number {
  for (let at = 1152; at < image.length; at += SLOT_BYTES) {
    const format = image.readUInt16LE(at);
    if (format > 9 || (image.readUInt16LE(at + 4) & 0o170000) !== 0o100000) continue;
    if (image.readUInt32LE(at + 24) === name.charCodeAt(0)) return at;
  }
  return assert.fail(`no inode ${name}`);
}

test("two files that share a data block are refused", () => {
  const content = "x".repeat(4097);
  // The owner's number tells the inodes apart.
  const files = ["a", "b"].map((name) => `/${name} 4097 100644 1 ${name.charCodeAt(0)} 0 0 2000.0 - ${content} -`);
  const { image } = imageOf(files, "v0");
  const [a, b] = [inodeOffset(image, "a"), inodeOffset(image, "b")];
  const block = image.readUInt32LE(a + 16);
  image.writeUInt32LE(block, b + 16);
  const message = `Cannot read EROFS image: offset ${block * 4096}: bytes that belong to two inodes`;
  assert.throws(() => readErofs(image), { code: "corrupt", message });
});

test("an attribute area that reaches over another inode is refused", () => {
  // With areas that overlap, 256 KiB of image could hold two thousand inodes of twenty thousand attributes each.
  const files = ["a", "b"].map((name) => `/${name} 0 100644 1 ${name.charCodeAt(0)} 0 0 1000.0 - - - user.${name}=1`);
  const { image, view } = imageOf(files, "v2");
  const [a, b] = [inodeOffset(image, "a"), inodeOffset(image, "b")];
  const entry = a + 64 + 12;
  const areaEnd = b + 64;
  view.setUint16(entry + 2, areaEnd - entry - 5, true);
  view.setUint16(a + 2, (areaEnd - entry) / 4 + 1, true);
  const message = `Cannot read EROFS image: offset ${b}: bytes that belong to two inodes`;
  assert.throws(() => readErofs(image), { code: "corrupt", message });
});

test("writeErofs() refuses what its reader would refuse: NUL in a link target or an attribute's name", () => {
  const write = (tree: Parameters<typeof writeErofs>[0]) => writeErofs(tree, { form: "v1", algorithm: "sha256" });
  assert.throws(() => write(directory({ link: symlink("a\0b") })), {
    code: "corrupt",
    message: "Cannot write EROFS image: a link target with a NUL",
  });
  for (const name of ["", "user.a\0b"] as ByteString[]) {
    assert.throws(() => write(directory({ a: file("", { xattrs: new Map([[name, Buffer.of(1)]]) }) })), {
      code: "corrupt",
      message: `Cannot store extended attribute ${JSON.stringify(name)}: no name of an attribute`,
    });
  }
});
