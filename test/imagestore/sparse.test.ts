/** Files with holes, as GNU tar and bsdtar write them; docs/formats.md, "Layer". */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { silent } from "../../src/events/index.ts";
import { openImage } from "../../src/images/index.ts";
import {
  computeImageId,
  findImage,
  imageTree,
  layerStreamName,
  pullImage,
  pushImage,
  restoreImage,
} from "../../src/imagestore/index.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { parseReference } from "../../src/oci/index.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import { checkRepository, collectGarbage, fsckLines, initRepository } from "../../src/repository/index.ts";
import { readSplitStream, streamParts } from "../../src/splitstream/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { formatDump } from "../../src/tree/index.ts";
import { block, directory, file, pax, record } from "../tar/blocks.ts";
import { imageOfTars } from "./hand-made.ts";
import { scratchDirectory } from "./vectors.ts";

const PLAIN = { bootable: false, keepUserXattrs: false };

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
  makeTree(join(scratch.path, "tree"));
});
after(() => scratch.remove());

/** A file of holes and of data at these offsets. */
function sparseFile(path: string, sizeBytes: number, data: Readonly<Record<number, string>>): void {
  const fd = openSync(path, "w");
  for (const [offset, text] of Object.entries(data)) writeSync(fd, text, Number(offset));
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
}

function makeTree(root: string): void {
  mkdirSync(join(root, "usr"), { recursive: true });
  const usr = (name: string) => join(root, "usr", name);
  sparseFile(usr("ends-in-data"), 3_000_004, { 0: "head", 1000000: "middle".repeat(20_000), 3000000: "tail" });
  sparseFile(usr("ends-in-a-hole"), 2_000_000, { 500000: "x".repeat(5000) });
  sparseFile(usr("all-hole"), 100_000, {});
  sparseFile(usr("small"), 40, {});
  // More regions than a header and a block of GNU tar's have room for.
  const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [index * 131_072, `part ${index}`]));
  sparseFile(usr("many-regions"), 60 * 131_072 + 5, many);
  writeFileSync(usr("ordinary"), "ordinary ".repeat(1000));
  execFileSync("find", [root, "-exec", "touch", "--no-dereference", "--date=@1000000000", "{}", "+"]);
}

function gnuTar(name: string, ...options: string[]): Buffer {
  const path = join(scratch.path, `${name}.tar`);
  const owner = ["--owner=0", "--group=0", "--mode=u=rwX,go=rX", "--sort=name", "--hole-detection=raw"];
  execFileSync("tar", ["--create", "--file", path, "-C", join(scratch.path, "tree"), ...owner, ...options, "usr"]);
  return readFileSync(path);
}

const WRITERS: Readonly<Record<string, () => Buffer>> = {
  "GNU tar, its own form": () => gnuTar("gnu", "--sparse", "--format=gnu"),
  "GNU tar, the old form": () => gnuTar("oldgnu", "--sparse", "--format=oldgnu"),
  "PAX 0.0": () => gnuTar("pax00", "--sparse", "--format=pax", "--sparse-version=0.0"),
  "PAX 0.1": () => gnuTar("pax01", "--sparse", "--format=pax", "--sparse-version=0.1"),
  "PAX 1.0": () => gnuTar("pax10", "--sparse", "--format=pax", "--sparse-version=1.0"),
  bsdtar: () => {
    const path = join(scratch.path, "bsd.tar");
    const owner = ["--uid", "0", "--gid", "0", "--numeric-owner", "--no-xattrs"];
    execFileSync("bsdtar", ["-c", "-f", path, "-C", join(scratch.path, "tree"), ...owner, "usr"]);
    return readFileSync(path);
  },
};

async function newRepository(name: string) {
  const path = join(scratch.path, name);
  return (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
}

let plainId: Promise<string> | undefined;

/** The image of the same tree from an archive without holes. */
function idWithoutHoles(): Promise<string> {
  const pulled = async () => {
    using repository = await newRepository("plain");
    await pullImage(repository, imageOfTars(join(scratch.path, "plain-layout"), [gnuTar("plain", "--format=gnu")]), {
      name: "x",
    });
    return await computeImageId(repository, "x", PLAIN);
  };
  plainId ??= pulled();
  return plainId;
}

for (const [writer, makeTar] of Object.entries(WRITERS)) {
  test(`${writer}: the tree has the files with their holes, and the layer comes out as it went in`, async () => {
    const name = writer.replace(/\W+/g, "-");
    const tar = makeTar();
    assert.ok(tar.length < 1_000_000, "the writer has left the holes in");
    const layout = join(scratch.path, `${name}-layout`);
    const reference = imageOfTars(layout, [tar]);
    using repository = await newRepository(name);
    const { imageIds } = await pullImage(repository, reference, { name: "x" });
    assert.deepEqual([...imageIds.values()], [await idWithoutHoles()]);
    // From the repository, where the content has to be found again.
    assert.equal(await computeImageId(repository, "x", PLAIN), await idWithoutHoles());
    await pushImage(repository, "x", parseReference(`oci:${join(scratch.path, `${name}-pushed`)}:t`), {
      packing: "none",
    });
    const pushed = await openImage(parseReference(`oci:${join(scratch.path, `${name}-pushed`)}:t`), {
      policy: ACCEPT_ANYTHING,
    });
    await pushed.close();
    assert.equal(pushed.manifest.layers[0]?.digest, digestOf(tar));
  });
}

test("the contents live as long as the layer does, and their loss is found and repaired", async () => {
  const tar = WRITERS["PAX 1.0"]?.() ?? Buffer.alloc(0);
  const reference = imageOfTars(join(scratch.path, "lifetime-layout"), [tar]);
  using repository = await newRepository("lifetime");
  await pullImage(repository, reference, { name: "x" });
  const { objectId } = repository.streams.resolve(layerStreamName(digestOf(tar)));
  const { objectRefs } = readSplitStream(repository.objects.read(objectId));
  const inStream = new Set<string>();
  for await (const part of streamParts(readSplitStream(repository.objects.read(objectId)))) {
    if ("objectId" in part) inStream.add(part.objectId);
  }
  const contents = objectRefs.filter((id) => !inStream.has(id));
  // All but the small file: that one is in the image itself.
  assert.deepEqual(
    contents.map((id) => repository.objects.sizeBytes(id)).sort((a, b) => a - b),
    [100_000, 2_000_000, 3_000_004, 60 * 131_072 + 5],
  );
  await collectGarbage(repository);
  assert.ok(contents.every((id) => repository.objects.has(id)));
  assert.deepEqual((await checkRepository(repository)).errors, []);
  unlinkSync(repository.objects.path(contents[0] ?? ""));
  assert.match(fsckLines(await checkRepository(repository)).join("\n"), new RegExp(contents[0] ?? "-"));
  await assert.rejects(computeImageId(repository, "x", PLAIN), { code: "corrupt" });
  await restoreImage(repository, reference, silent);
  assert.deepEqual((await checkRepository(repository)).errors, []);
  assert.equal(await computeImageId(repository, "x", PLAIN), await idWithoutHoles());
});

const USR = directory("usr");

async function pulledTar(name: string, ...entries: Uint8Array[]): Promise<string> {
  using repository = await newRepository(name);
  const reference = imageOfTars(join(scratch.path, `${name}-layout`), [Buffer.concat([...entries, END_OF_ARCHIVE])]);
  await pullImage(repository, reference, { name: "x" });
  const root = await imageTree(repository, await findImage(repository, "x"), PLAIN);
  return Buffer.from(formatDump(root)).toString("latin1");
}

/** A sparse file of version 0.1. @param map offsets and lengths */
function sparse01(sizeBytes: number | string, map: string, data: string): Buffer {
  const records = [
    ...[record("GNU.sparse.size", String(sizeBytes)), record("GNU.sparse.name", "usr/holes")],
    ...[
      record("GNU.sparse.numblocks", String(map === "" ? 0 : map.split(",").length / 2)),
      record("GNU.sparse.map", map),
    ],
  ];
  return Buffer.concat([pax(...records), file("GNUSparseFile.0/holes", Buffer.from(data))]);
}

test("small contents are in the image, whatever is stored of them", async () => {
  const dump = await pulledTar("inline", USR, sparse01(9, "2,3,7,1", "abcd"), file("usr/next", Buffer.from("1")));
  assert.match(dump, /^\/usr\/holes 9 100644 1 0 0 0 5\.0 - \\x00\\x00abc\\x00\\x00d\\x00 -$/m);
  assert.match(dump, /^\/usr\/next 1 100644 /m);
});

test("holes are bounded as layers are: a few bytes cannot ask for any amount of zeros", async () => {
  const huge = [sparse01(2 ** 40, "0,4", "data"), file("usr/next", Buffer.from("1"))];
  await assert.rejects(pulledTar("huge", USR, ...huge), (error: Error & { data: object }) => {
    assert.match(
      error.message,
      /^Cannot read layer 1 of 1 \(sha256:[0-9a-f]{64}\): Cannot use layer entry "usr\/holes": the holes of the layer's sparse files have more than 1073741824 bytes$/,
    );
    assert.deepEqual(error.data, {
      step: "pull layers",
      path: "usr/holes",
      offset: 1536,
      hint: "if you trust the image, allow more with --layer-limit SIZE",
    });
    return true;
  });
  const twice = [sparse01(2 ** 29 + 100, "0,4", "data"), sparse01(2 ** 29, "0,4", "data"), sparse01(2 ** 29, "", "")];
  await assert.rejects(pulledTar("many-huge", USR, ...twice), { code: "unsupported" });
});

test("an archive of images with a sparse member is refused: members are read in place", async () => {
  const path = join(scratch.path, "archive.tar");
  writeFileSync(path, Buffer.concat([sparse01(100, "0,4", "data"), END_OF_ARCHIVE]));
  await assert.rejects(openImage(parseReference(`docker-archive:${path}`), { policy: ACCEPT_ANYTHING }), {
    code: "unsupported",
    message: "Cannot read member usr/holes: it is stored as a sparse file",
    data: {
      path: "usr/holes",
      hint: "make the archive again without sparse files: bsdtar --no-read-sparse, or tar without --sparse",
    },
  });
});

const sparse10 = (list: string, data = "") => {
  const records = [
    ...[record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0")],
    ...[record("GNU.sparse.name", "usr/holes"), record("GNU.sparse.realsize", "1000")],
  ];
  const blocks = Buffer.alloc(Math.ceil(list.length / 512) * 512);
  blocks.write(list);
  return Buffer.concat([pax(...records), file("GNUSparseFile.0/holes", Buffer.concat([blocks, Buffer.from(data)]))]);
};

const HOSTILE: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["regions out of order", sparse01(1000, "500,2,0,2", "abcd"), /its list of sparse regions is not in order/],
  ["regions over each other", sparse01(1000, "0,3,2,1", "abcd"), /its list of sparse regions is not in order/],
  ["a region beyond the end", sparse01(10, "8,4", "abcd"), /its list of sparse regions is not in order/],
  ["less data than regions", sparse01(1000, "0,5", "abcd"), /its sparse regions and its data differ in length/],
  ["more data than regions", sparse01(1000, "0,3", "abcd"), /its sparse regions and its data differ in length/],
  ["half a region", sparse01(1000, "0,3,5", "abcd"), /its list of sparse regions does not have the length it says/],
  [
    "a size that is no number",
    sparse01("-1", "0,4", "abcd"),
    /a PAX record of its sparse regions is not a number: "-1"/,
  ],
  [
    "a size beyond 2^53",
    sparse01("9007199254740992", "0,4", "abcd"),
    /a PAX record of its sparse regions is not a num/,
  ],
  ["a list of other text", sparse10("1\n0\nx\n", "abcd"), /its list of sparse regions is not numbers/],
  ["a list without end", sparse10("9".repeat(2000)), /its list of sparse regions is not numbers/],
  ["a list longer than its file", sparse10("100\n0\n1\n"), /its list of sparse regions is not numbers/],
  ["a list that takes the data's place", sparse10("1\n0\n4\n", "abc"), /its sparse regions and its data differ/],
  [
    "a version of the future",
    Buffer.concat([
      pax(record("GNU.sparse.major", "2"), record("GNU.sparse.minor", "0")),
      file("usr/holes", Buffer.alloc(0)),
    ]),
    /sparse files of version 2\.0 are not supported/,
  ],
  ["the old form in a header of another", block({ 0: "usr/holes\0", 156: "S" }), /a sparse file of an unknown form/],
  [
    "the old form with a length below zero",
    block({
      0: "usr/holes\0",
      156: "S",
      257: "ustar  \0",
      386: "00000000000\0",
      398: Buffer.alloc(12, 0xff),
      483: "00000001750\0",
    }),
    /its list of sparse regions is not in order/,
  ],
];

for (const [what, entry, reason] of HOSTILE) {
  test(`${what}: refused, naming the file`, async () => {
    const name = what.replace(/\W+/g, "-");
    await assert.rejects(pulledTar(name, USR, entry, file("usr/next", Buffer.from("1"))), (error: Error) => {
      assert.match(error.message, /entry "usr\/holes"/);
      assert.match(error.message, reason);
      return true;
    });
  });
}
