import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { parsePe, readSignatures, readUki, signPe, systemdComponentOf, verifyPe } from "../../src/pe/index.ts";
import { opensslKey, TestDirectory } from "./boot-files.ts";
import { certificateDer, signerOf } from "./keys.ts";
import { syntheticPe } from "./synthetic-pe.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const db = opensslKey(directory, "db");
const IMAGE = syntheticPe([
  { name: ".text", content: Buffer.alloc(64, 0xc3) },
  { name: ".sdmagic", content: Buffer.from("#### LoaderInfo: systemd-stub 257 ####") },
  { name: ".cmdline", content: Buffer.from("quiet") },
  { name: ".linux", content: Buffer.from("kernel") },
]);

/** A small generator with a fixed seed (Numerical Recipes' LCG), so that a failure can be repeated. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Runs every reader; only SealrootErrors may come out. Returns whether the signature was found good. */
async function survives(bytes: Uint8Array, trusted: readonly Uint8Array[], note: string): Promise<boolean> {
  const readers = [
    () => readUki(bytes),
    () => readSignatures(parsePe(bytes)),
    () => systemdComponentOf(parsePe(bytes)),
  ];
  for (const read of readers) {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof SealrootError, `${note}: ${error}`);
    }
  }
  try {
    await verifyPe(bytes, trusted);
    return true;
  } catch (error) {
    assert.ok(error instanceof SealrootError, `${note}: ${error instanceof Error ? error.stack : error}`);
    return false;
  }
}

test("signed images with changed bytes never crash a reader", async () => {
  const signed = await signPe(IMAGE, signerOf(db));
  const trusted = [certificateDer(db)];
  const random = randomNumbers(20261123);
  const interesting = [0, 1, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff];
  for (let round = 0; round < 3000; round++) {
    const bad = Buffer.from(signed);
    // Headers and signature are where the structure is: three of four changes go there.
    const ranges = [
      [0, 512],
      [IMAGE.length, signed.length],
      [IMAGE.length, signed.length],
      [0, signed.length],
    ] as const;
    const [start, end] = ranges[round % ranges.length] ?? [0, 1];
    for (let count = 1 + random(3); count > 0; count--) {
      bad.writeUInt8(interesting[random(interesting.length)] ?? random(256), start + random(end - start));
    }
    await survives(bad, trusted, `round ${round}`);
  }
});

test("no single byte of the signed part can be changed unnoticed", async () => {
  const signed = await signPe(IMAGE, signerOf(db));
  const trusted = [certificateDer(db)];
  const { optionalHeaderOffset, certificateDirectoryOffset, sectionsEnd } = parsePe(signed);
  const unsigned = (offset: number) =>
    (offset >= optionalHeaderOffset + 64 && offset < optionalHeaderOffset + 68) ||
    (offset >= certificateDirectoryOffset && offset < certificateDirectoryOffset + 8);
  for (let offset = 0; offset < sectionsEnd; offset += offset < 1024 ? 1 : 13) {
    const bad = Buffer.from(signed);
    bad.writeUInt8(bad.readUInt8(offset) ^ 0x10, offset);
    const isGood = await survives(bad, trusted, `offset ${offset}`);
    assert.equal(isGood && !unsigned(offset), false, `change at ${offset} went unnoticed`);
  }
});

test("signed images cut short never crash a reader and never verify", async () => {
  const signed = await signPe(IMAGE, signerOf(db));
  const trusted = [certificateDer(db)];
  for (let length = 0; length < signed.length; length += length < 400 ? 1 : 7) {
    assert.equal(await survives(signed.subarray(0, length), trusted, `length ${length}`), false);
  }
});
