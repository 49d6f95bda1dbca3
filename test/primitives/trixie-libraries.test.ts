/**
 * Debian 13's libraries, whose structures differ from Debian 12's, are unpacked once into the cache and put to work: a line of
 * the table of layouts is there only if it is tried.
 */
import assert from "node:assert/strict";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { crc32, deflateRawSync } from "node:zlib";
import { openIgzip } from "../../src/primitives/igzip-library.ts";
import type { MessageHasher } from "../../src/primitives/message-queue.ts";
import { openMultiBufferHasher } from "../../src/primitives/multi-buffer-hasher.ts";
import { portableHasher } from "../../src/primitives/portable-hasher.ts";
import { cacheDirectory } from "../guest/base.ts";
import { unpackDebianTree } from "../guest/debian-tree.ts";
import { makeOnce } from "../guest/made-once.ts";

const skip = process.arch !== "x64" && "x86-64 alone has the libraries";
const tree = join(cacheDirectory(), "trixie-libraries");
const directories = [join(tree, "usr/lib/x86_64-linux-gnu")];

before(async () => {
  if (skip !== false) return;
  await makeOnce(tree, async (made, work) => {
    await mkdir(made, { recursive: true });
    await unpackDebianTree(["libipsec-mb2", "libisal2"], work, made);
  });
});

test("libipsec-mb 2.0.0 hashes as node:crypto does", { skip }, () => {
  const found = openMultiBufferHasher(directories);
  assert.ok("name" in found, "reason" in found ? found.reason : "");
  assert.match(found.name, /^libipsec-mb 2\.0\.0, AVX(2|-512)$/);
  const messages = Buffer.from(Uint8Array.from({ length: 4097 * 300 }, (_, at) => (at * 7 + (at >> 9)) & 0xff));
  for (const algorithm of ["sha256", "sha512"] as const) {
    for (const lengthBytes of [1, 256, 4095, 4096, 4097]) {
      const digestsBy = (hasher: MessageHasher): Buffer => {
        const target = Buffer.alloc(300 * 64);
        hasher(algorithm, lengthBytes, (queue) => queue.add(messages, 0, 300, target, 0));
        return target;
      };
      assert.deepEqual(digestsBy(found.native), digestsBy(portableHasher));
    }
  }
});

test("libisal 2.31 inflates as node:zlib does", { skip }, async () => {
  const files = await readdir(directories[0] ?? "");
  assert.ok(files.includes("libisal.so.2.0.31"), files.join(" "));
  const found = openIgzip(directories);
  assert.ok("name" in found, "reason" in found ? found.reason : "");
  assert.equal(found.name, "libisal 2.31");
  const text = Buffer.from(Array.from({ length: 400_000 }, (_, index) => `${(index * index) % 9973} `).join(""));
  const packed = Buffer.concat([deflateRawSync(text), Buffer.from("tail")]);
  const inflater = found.native();
  inflater.begin();
  const output = Buffer.alloc(text.length + 1);
  const step = await inflater.inflate(packed, output);
  assert.equal(step.state, "end");
  assert.ok(output.subarray(0, step.writtenBytes).equals(text));
  assert.equal(inflater.crc32, crc32(text));
  assert.deepEqual(Buffer.concat([inflater.unused, packed.subarray(step.readBytes)]), Buffer.from("tail"));
});
