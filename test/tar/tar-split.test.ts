import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteString, byteStringOfText } from "../../src/bytes/index.ts";
import { readTarSplit, TAR_SPLIT_LINE_MAX_BYTES, type TarSplitEntry } from "../../src/tar/index.ts";

async function read(...pieces: readonly (string | Uint8Array)[]): Promise<TarSplitEntry[]> {
  const entries: TarSplitEntry[] = [];
  const stream = (async function* () {
    for (const piece of pieces) yield Buffer.from(piece);
  })();
  for await (const entry of readTarSplit(stream)) entries.push(entry);
  return entries;
}

const LINES = [
  '{"type":2,"payload":"aGVhZGVy","position":0}',
  '{"type":1,"name":"./etc/","payload":null,"position":1}',
  '{"type":1,"name":"a\\u003cé","size":7,"payload":"YV3MKGdyyzA=","position":2}',
  '{"type":1,"name_raw":"4v8=","size":1,"payload":"AAAAAAAAAAE=","position":3}',
];
const ENTRIES: readonly TarSplitEntry[] = [
  { type: "bytes", bytes: Buffer.from("header") },
  { type: "file", name: byteStringOfText("./etc/"), sizeBytes: 0, crc64: undefined },
  { type: "file", name: byteStringOfText("a<é"), sizeBytes: 7, crc64: "615dcc286772cb30" },
  { type: "file", name: byteString(Uint8Array.of(0xe2, 0xff)), sizeBytes: 1, crc64: "0000000000000001" },
];

test("lines become bytes and places of bodies", async () => {
  assert.deepEqual(await read(`${LINES.join("\n")}\n`), ENTRIES);
  assert.deepEqual(await read(LINES.join("\n")), ENTRIES, "without the last line's end");
  assert.deepEqual(await read(), []);
});

test("property: however the lines are cut", async () => {
  const bytes = Buffer.from(`${LINES.join("\n")}\n`);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      assert.deepEqual(await read(...pieces), ENTRIES);
    }),
  );
});

test("what is no tar-split line is refused with its number", async () => {
  const refusals: readonly (readonly [string | Uint8Array, string])[] = [
    ["", "it is not JSON"],
    ["{", "it is not JSON"],
    [Uint8Array.of(0x22, 0xff, 0x22), "it is not JSON"],
    ["null", "it is not an object"],
    ['{"type":3,"payload":"AAAA"}', "its type is neither 1 nor 2"],
    ['{"type":"2","payload":"AAAA"}', "its type is neither 1 nor 2"],
    ['{"type":2}', "its payload is not base64"],
    ['{"type":2,"payload":"AAA"}', "its payload is not base64"],
    ['{"type":2,"payload":"AA-_"}', "its payload is not base64"],
    ['{"type":1,"size":0}', "it has no name"],
    ['{"type":1,"name":""}', "it has no name"],
    ['{"type":1,"name":"\\ud800"}', "it has no name"],
    ['{"type":1,"name":"a","name_raw":"?"}', "it has no name"],
    ['{"type":1,"name":"a","size":-1}', "its size is not a size"],
    ['{"type":1,"name":"a","size":1.5}', "its size is not a size"],
    ['{"type":1,"name":"a","size":1,"payload":null}', "its checksum is not eight bytes of base64"],
    ['{"type":1,"name":"a","size":1,"payload":"AAAA"}', "its checksum is not eight bytes of base64"],
  ];
  for (const [line, reason] of refusals) {
    await assert.rejects(read(`${LINES[0]}\n`, line, "\n"), {
      code: "corrupt",
      message: `Cannot read tar-split data: line 2: ${reason}`,
      data: { line: 2 },
    });
  }
});

test("a line without end takes no more than its limit", async () => {
  let given = 0;
  const endless = (async function* () {
    for (;;) {
      given += 1 << 20;
      yield Buffer.alloc(1 << 20, "a");
    }
  })();
  await assert.rejects(readTarSplit(endless).next(), {
    code: "unsupported",
    message: `Cannot read tar-split data: a line exceeds ${TAR_SPLIT_LINE_MAX_BYTES} bytes`,
  });
  assert.equal(given, TAR_SPLIT_LINE_MAX_BYTES + (1 << 20));
});
