import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import tarStream from "tar-stream";
import { type ByteString, byteString, byteStringOfText } from "../../src/bytes/index.ts";
import {
  encodeTarHeader,
  type TarEntry,
  type TarMember,
  type TarMemberHeader,
  TarParser,
  writeTar,
} from "../../src/tar/index.ts";

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function entriesOf(stream: Uint8Array): TarEntry[] {
  const entries: TarEntry[] = [];
  const parser = new TarParser({ inline: () => {}, body: () => {}, entry: (entry) => entries.push(entry) }, 64);
  parser.push(stream);
  parser.finish();
  return entries;
}

const DIRECTORY: TarMemberHeader = {
  kind: "directory",
  path: byteStringOfText("usr"),
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 1_000_000_000n,
};

test("a plain entry is one ustar block with no name of an owner", () => {
  const block = Buffer.from(encodeTarHeader(DIRECTORY));
  assert.equal(block.length, 512);
  assert.equal(block.toString("latin1", 0, 5), "usr/\0");
  assert.equal(
    block.toString("latin1", 100, 148),
    "0000755\0" + "0000000\0" + "0000000\0" + "00000000000\0" + "07346545000\0",
  );
  assert.equal(block.toString("latin1", 156, 157), "5");
  assert.equal(block.toString("latin1", 257, 265), "ustar\x0000");
  assert.deepEqual(block.subarray(265, 329), Buffer.alloc(64));
});

test("a fraction before 1970 counts backwards", () => {
  const header = encodeTarHeader({ ...DIRECTORY, mtimeSeconds: -2n, mtimeNanoseconds: 750_000_000 });
  assert.equal(Buffer.from(header).toString("latin1", 512, 527), "15 mtime=-1.25\n");
  const [entry] = entriesOf(header);
  assert.deepEqual([entry?.mtimeSeconds, entry?.mtimeNanoseconds], [-2n, 750_000_000]);
});

test("property: what the writer writes, the parser reads back", () => {
  const bytes = (maxLength: number) =>
    fc.uint8Array({ minLength: 1, maxLength }).map((part) => byteString(part.map((byte) => byte || 1)));
  const member = fc.record({
    kind: fc.constantFrom("file", "directory", "symlink", "hardlink", "fifo", "character-device") as fc.Arbitrary<
      TarMemberHeader["kind"]
    >,
    path: bytes(300).map((path) => `p${path.replaceAll("/", "_")}` as ByteString),
    linkPath: bytes(300),
    mode: fc.nat(0o7777),
    uid: fc.nat(0xffffffff),
    gid: fc.nat(0xffffffff),
    mtimeSeconds: fc.bigInt(-(2n ** 40n), 2n ** 40n),
    mtimeNanoseconds: fc.nat(999_999_999),
    xattrs: fc.array(
      fc.tuple(
        bytes(20).map((name) => `user.${name.replaceAll("=", "_")}` as ByteString),
        fc.uint8Array({ maxLength: 50 }),
      ),
    ),
    device: fc.record({ major: fc.nat(4095), minor: fc.nat(0xfffff) }),
  });
  fc.assert(
    fc.property(member, (random) => {
      // Names of attributes and paths of PAX records are text for the parser's strict reading of keys.
      const xattrs = new Map(random.xattrs.filter(([name]) => /^[\x20-\x7e]+$/.test(name)));
      const isLink = random.kind === "symlink" || random.kind === "hardlink";
      const { linkPath, ...rest } = random;
      const header: TarMemberHeader = {
        ...rest,
        xattrs,
        ...(isLink ? { linkPath } : {}),
      };
      const [entry] = entriesOf(encodeTarHeader(header));
      assert.ok(entry);
      assert.equal(entry.kind, header.kind);
      assert.equal(
        entry.path,
        header.kind === "directory" && !header.path.endsWith("/") ? `${header.path}/` : header.path,
      );
      assert.equal(entry.linkPath, isLink ? linkPath : undefined);
      assert.deepEqual([entry.mode, entry.uid, entry.gid], [header.mode, header.uid, header.gid]);
      assert.deepEqual([entry.mtimeSeconds, entry.mtimeNanoseconds], [header.mtimeSeconds, header.mtimeNanoseconds]);
      assert.deepEqual(
        new Map([...entry.xattrs].map(([k, v]) => [k, [...v]])),
        new Map([...xattrs].map(([k, v]) => [k, [...v]])),
      );
      if (header.kind === "character-device") assert.deepEqual(entry.device, { ...header.device });
    }),
    { numRuns: 300 },
  );
});

test("tar-stream reads what the writer writes", async () => {
  const long = `usr/${"n".repeat(200)}`;
  const members: TarMember[] = [
    { header: DIRECTORY },
    {
      header: { ...DIRECTORY, kind: "file", path: byteStringOfText(long), uid: 1_000_000, mtimeNanoseconds: 5 },
      body: Buffer.from("content"),
    },
    {
      header: {
        ...DIRECTORY,
        kind: "symlink",
        path: byteStringOfText("lnk"),
        linkPath: byteStringOfText("t".repeat(150)),
      },
    },
  ];
  const seen: unknown[] = [];
  const extract = tarStream.extract();
  extract.on("entry", (header, stream, next) => {
    seen.push([header.type, header.name, header.linkname, header.uid, header.size]);
    stream.resume();
    stream.on("end", next);
  });
  const finished = new Promise<void>((resolve) => extract.on("finish", resolve));
  extract.end(await collect(writeTar(members)));
  await finished;
  assert.deepEqual(seen, [
    ["directory", "usr/", null, 0, 0],
    ["file", long, null, 1_000_000, 7],
    ["symlink", "lnk", "t".repeat(150), 0, 0],
  ]);
});

test("a body that is shorter or longer than stated is refused", async () => {
  const header: TarMemberHeader = { ...DIRECTORY, kind: "file", path: byteStringOfText("f"), sizeBytes: 10 };
  for (const size of [9, 11]) {
    await assert.rejects(collect(writeTar([{ header, body: Buffer.alloc(size) }])), {
      code: "conflict",
      message: "Cannot write tar entry: body and stated size differ",
    });
  }
});

test("what no reader would understand is not written", () => {
  const refused: Partial<TarMemberHeader>[] = [
    { path: byteStringOfText("") },
    { path: byteStringOfText("a\0b") },
    { kind: "symlink" },
    { xattrs: new Map([[byteStringOfText("a=b"), Buffer.alloc(0)]]) },
    { kind: "block-device", device: { major: 2 ** 21, minor: 0 } },
  ];
  for (const change of refused) {
    assert.throws(
      () => encodeTarHeader({ ...DIRECTORY, ...change }),
      { code: "unsupported" },
      JSON.stringify(Object.keys(change)),
    );
  }
});
