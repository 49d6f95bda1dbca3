import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { ChunkedCompressor, readToc } from "../../src/chunked/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { openImage } from "../../src/images/index.ts";
import { layerStreamName } from "../../src/imagestore/index.ts";
import { recordImage } from "../../src/imagestore/pull/record-image.ts";
import { MEDIA_TYPE, OciLayout, parseReference } from "../../src/oci/index.ts";
import {
  checkRepository,
  collectGarbage,
  initRepository,
  type Repository,
  streamContent,
} from "../../src/repository/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { collect, parts } from "../chunked/layers.ts";
import { addedStreams, addLayer, filledRepository } from "./filled-repository.ts";
import { outOfLayer } from "./layer-prefix.ts";
import { RangedBlobs, type RangedOptions } from "./ranged-blobs.ts";
import { scratchDirectory, unpack } from "./vectors.ts";

const OCI_VECTORS = new URL("../vectors/oci/", import.meta.url).pathname;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let made = 0;
before(async () => {
  scratch = await scratchDirectory();
  for (const archive of [
    "zstd-chunked-2layer",
    "zstd-chunked-hand",
    "zstd-chunked-tail",
    "zstd-multiframe",
    "estargz",
  ]) {
    await unpack(join(OCI_VECTORS, `${archive}.tar.gz`), join(scratch.path, "fixtures"), "");
  }
});
after(() => scratch.remove());

async function newRepository(protection: "insecure" | "offline" = "insecure"): Promise<Repository> {
  return filledRepository(join(scratch.path, `repository-${++made}`), protection);
}

/** Pulls an image from a source that serves parts. */
async function pull(repository: Repository, layout: string, options: RangedOptions & { tag?: string } = {}) {
  const image = await openImage(parseReference(`oci:${layout}:${options.tag ?? "v"}`));
  const blobs = new RangedBlobs(layout, options);
  const messages: string[] = [];
  try {
    const recorded = await recordImage(
      repository,
      { ...image, blobs },
      {
        bootVariants: [],
        restore: false,
        events: (event) => {
          if (event.type === "message") messages.push(event.text);
        },
      },
    );
    const diffIds = image.config?.rootfs.diff_ids ?? [];
    for (const diffId of diffIds) assert.equal(await contentDigest(repository, diffId), diffId);
    return { blobs, messages, diffIds, ...recorded };
  } finally {
    await image.close();
  }
}

async function contentDigest(repository: Repository, diffId: string): Promise<string> {
  const hash = createHash("sha256");
  const { objectId } = repository.streams.resolve(layerStreamName(diffId));
  for await (const piece of streamContent(repository, objectId)) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}

function fixture(name: string): string {
  return join(scratch.path, "fixtures", name);
}

const PARTIAL = ["zstd-chunked-2layer", "zstd-chunked-tail", "hz-hand-good"];

for (const name of PARTIAL) {
  test(`${name}: pulled by its tables, in pieces of any size, as when it is pulled whole`, async () => {
    for (const pieceBytes of [7, 1000, 1 << 20]) {
      using repository = await newRepository();
      const pulled = await pull(repository, fixture(name), { pieceBytes });
      assert.deepEqual(pulled.blobs.wholeReads, []);
      assert.deepEqual(pulled.messages, []);
      assert.equal(pulled.statistics.fetchedBytes, pulled.blobs.rangesBytes);
      const report = await checkRepository(repository);
      assert.deepEqual(report.errors, []);
      using whole = await newRepository();
      const image = await openImage(parseReference(`oci:${fixture(name)}:v`));
      const ordinary = await recordImage(whole, image, { bootVariants: [], restore: false, events: () => {} });
      assert.deepEqual(pulled.imageIds, ordinary.imageIds);
      const { newObjects, storedBytes, inlinedBytes } = ordinary.statistics;
      const { statistics } = pulled;
      assert.deepEqual(
        [statistics.newObjects, statistics.storedBytes, statistics.inlinedBytes],
        [newObjects, storedBytes, inlinedBytes],
      );
      await image.close();
    }
  });
}

const REFUSED: readonly [string, RegExp][] = [
  [
    "hz-bad-ambiguous",
    /^Cannot accept the tar \(rebuilt from its table of contents\): its digest is sha256:ced85575954f82b0488bb1524feab07073ffe078b7048c0fd0c30d305a8b2530, expected sha256:f35519228b4d815467e6182cfb666360bec52056c533900ff6cf7ef67498f316$/,
  ],
  ["hz-bad-toc-mode", /^Cannot trust table of contents: it and the tar-split data differ: they name another mode$/],
  [
    "hz-bad-toc-missing",
    /^Cannot trust table of contents: it and the tar-split data differ: the table does not have it/,
  ],
  ["hz-bad-checksum", /^Cannot accept table of contents of layer sha256:[0-9a-f]{64}: its digest is/],
];

for (const [name, message] of REFUSED) {
  test(`${name}: refused, not pulled whole instead; nothing has a name`, async () => {
    using repository = await newRepository();
    await assert.rejects(pull(repository, fixture(name)), outOfLayer({ code: "corrupt", message }));
    assert.deepEqual([...addedStreams(repository), ...repository.images.entries()], []);
  });
}

const WHOLE: readonly [string, string | undefined][] = [
  ["hz-old-no-tarsplit-digest", "its table of contents does not vouch for the tar-split data"],
  ["zstd-multiframe", undefined],
  ["zstd-multiframe-leadskip", undefined],
  ["estargz", undefined],
];

for (const [name, reason] of WHOLE) {
  test(`${name}: pulled whole`, async () => {
    using repository = await newRepository();
    const pulled = await pull(repository, fixture(name));
    assert.equal(pulled.blobs.wholeReads.length, 1);
    assert.deepEqual(
      pulled.messages.map((text) => text.replace(/^layer sha256:[0-9a-f]{64} is pulled whole: /, "")),
      reason === undefined ? [] : [reason],
    );
    assert.equal(pulled.statistics.savedBytes, 0);
  });
}

test("the second layer's copy of a file of the first is not fetched", async () => {
  using repository = await newRepository();
  const { statistics, blobs } = await pull(repository, fixture("zstd-chunked-2layer"));
  // 68 043 bytes of usr/copy, if the layers come one after the other; side by side both may fetch it.
  assert.ok(statistics.fetchedBytes <= 73_969 + 69_764);
  const again = await pull(await newRepository(), fixture("zstd-chunked-2layer"));
  assert.deepEqual(again.imageIds, (await pull(repository, fixture("zstd-chunked-2layer"))).imageIds);
  assert.equal(blobs.wholeReads.length, 0);
});

const COMMON = { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 1_000_000_000n };

function file(path: string, body: Uint8Array): TarMember {
  return { header: { ...COMMON, kind: "file", path: byteStringOfText(path), sizeBytes: body.length }, body };
}

function noise(seed: string, sizeBytes: number): Buffer {
  return createHash("shake256", { outputLength: sizeBytes }).update(seed).digest();
}

interface Made {
  readonly layout: string;
  readonly tag: string;
  readonly blob: Buffer;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An image of one layer; `change` spoils the layer's descriptor. */
async function imageOf(
  members: readonly TarMember[],
  { plain = false, annotations = {} as Record<string, string> } = {},
): Promise<Made> {
  const layout = await OciLayout.create(join(scratch.path, `layout-${++made}`));
  const usr: TarMember = { header: { ...COMMON, kind: "directory", path: byteStringOfText("usr") } };
  const tar = await collect(writeTar([usr, ...members]));
  const compressor = new ChunkedCompressor();
  const blob = await collect(
    compressor.compress(
      (async function* () {
        yield tar;
      })(),
    ),
  );
  const info = await layout.blobs.put(blob);
  const config = await layout.putConfig({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [`sha256:${createHash("sha256").update(tar).digest("hex")}`] },
  });
  const layer = {
    mediaType: "application/vnd.oci.image.layer.v1.tar+zstd",
    ...info,
    annotations: plain ? {} : { ...compressor.annotations, ...annotations },
  };
  const manifest = { schemaVersion: 2 as const, mediaType: MEDIA_TYPE.manifest, config, layers: [layer] };
  await layout.putManifest(manifest, { tag: "v" });
  return { layout: layout.directory, tag: "v", blob, annotations: layer.annotations };
}

/** Many files of all sizes, as of a system. */
function system(count: number): TarMember[] {
  return Array.from({ length: count }, (_, index) => {
    const sizeBytes = [0, 10, 64, 65, 3000, 20_000, 150_000][index % 7] ?? 0;
    return file(`usr/file-${index}`, noise(`file ${index}`, sizeBytes));
  });
}

/** Compressed bytes of some files, or all, and of table and tar-split data. */
function bytesOf(
  image: Made,
  paths: readonly string[] | undefined,
): { readonly files: number; readonly table: number } {
  const { positions, toc } = parts(image);
  const { entries } = readToc(Buffer.from(toc), image.blob.length);
  const chunks = entries
    .filter(({ name }) => paths?.includes(name) ?? true)
    .flatMap(({ content }) => content?.chunks ?? []);
  const lengthOf = ({ start, end }: { readonly start: number; readonly end: number }) => end - start;
  const { toc: tocPart, tarSplit = tocPart } = positions;
  return {
    files: chunks.reduce((sum, chunk) => sum + lengthOf(chunk), 0),
    table: lengthOf(tocPart) + lengthOf(tarSplit),
  };
}

test("an update in which one file changed fetches that file and the table", async () => {
  for (const plain of [false, true]) {
    const before = system(140);
    const old = await imageOf(before, { plain });
    const update = await imageOf([
      ...before.slice(0, 66),
      file("usr/changed", noise("new", 150_000)),
      ...before.slice(67),
    ]);
    using repository = await newRepository();
    await pull(repository, old.layout);
    const pulled = await pull(repository, update.layout);
    const needed = bytesOf(update, ["usr/changed"]);
    assert.equal(pulled.blobs.wholeReads.length, 0);
    assert.equal(pulled.blobs.rangesBytes, needed.table + needed.files);
    assert.equal(pulled.statistics.fetchedBytes, needed.table + needed.files);
    assert.equal(pulled.statistics.savedBytes, bytesOf(update, undefined).files - needed.files);
    assert.equal(pulled.statistics.newObjects, 1);
    assert.deepEqual((await checkRepository(repository)).errors, []);
  }
});

test("an update without a changed file fetches the table alone; one with small changed files little more than those", async () => {
  const before = system(140);
  const old = await imageOf(before);
  using repository = await newRepository();
  await pull(repository, old.layout);
  const renamed = await imageOf([...before.slice(1), file("usr/again", noise("file 6", 150_000))]);
  const first = await pull(repository, renamed.layout);
  assert.equal(first.blobs.rangesBytes, bytesOf(renamed, []).table);
  const changed = [3, 4, 5, 40, 130].map((index) => file(`usr/changed-${index}`, noise(`changed ${index}`, 20_000)));
  const update = await imageOf([...before, ...changed]);
  const second = await pull(repository, update.layout);
  const needed = bytesOf(
    update,
    changed.map(({ header }) => header.path),
  );
  assert.ok(
    second.blobs.rangesBytes <= 1.1 * needed.files + needed.table,
    `${second.blobs.rangesBytes} of ${needed.files}`,
  );
});

test("large files and holes are rebuilt in pieces; a hole is not fetched", async () => {
  const body = Buffer.concat([noise("a", 5 << 20), Buffer.alloc(30 << 20), noise("b", 9 << 20)]);
  const image = await imageOf([file("usr/large", body), file("usr/zeros", Buffer.alloc(6 << 20))]);
  using repository = await newRepository();
  const { statistics } = await pull(repository, image.layout, { pieceBytes: 1 << 20 });
  assert.equal(statistics.newObjects, 2);
  assert.ok(statistics.fetchedBytes < image.blob.length);
});

test("a source that serves blobs only whole, at the first request or the second: pulled whole", async () => {
  const image = await imageOf(system(20));
  for (const failing of [1, 2]) {
    using repository = await newRepository();
    const pulled = await pull(repository, image.layout, {
      fail: (request) => (request === failing ? new SealrootError("unsupported", "whole blobs only") : undefined),
    });
    assert.equal(pulled.blobs.wholeReads.length, 1);
    assert.match(pulled.messages.join(), /is pulled whole: the source does not serve parts of this blob$/);
  }
});

test("a source that ends early, wherever: pulled whole", async () => {
  const image = await imageOf(system(20));
  for (const endsAt of [0, 1000, 100_000]) {
    using repository = await newRepository();
    const pulled = await pull(repository, image.layout, { endsAt });
    assert.equal(pulled.blobs.wholeReads.length, 1);
    assert.match(pulled.messages.join(), /is pulled whole: the source left parts out$/);
  }
});

test("what else goes wrong on the way is not hidden by a second try", async () => {
  const image = await imageOf(system(20));
  for (const failing of [1, 2]) {
    using repository = await newRepository();
    const failure = new SealrootError("timeout", "Cannot read blob: no answer");
    await assert.rejects(
      pull(repository, image.layout, { fail: (request) => (request === failing ? failure : undefined) }),
      outOfLayer({ code: "timeout", message: "Cannot read blob: no answer" }),
    );
  }
});

test("frames that decode to another file are refused by the file's digest", async () => {
  const good = await imageOf([file("usr/a", noise("a", 2000)), file("usr/b", noise("b", 2000))]);
  using repository = await newRepository();
  const { entries } = readToc(Buffer.from(parts(good).toc), good.blob.length);
  const [a, b] = ["usr/a", "usr/b"].map((path) => entries.find(({ name }) => name === path)?.content?.chunks[0]);
  assert.ok(a && b);
  // The blob's own bytes are not checked against its digest: a range is only as good as what its files hash to.
  const [blob = ""] = readdirSync(join(good.layout, "blobs/sha256")).filter(
    (name) => readFileSync(join(good.layout, "blobs/sha256", name)).length === good.blob.length,
  );
  const swapped = Buffer.from(good.blob);
  assert.equal(a.end - a.start, b.end - b.start);
  good.blob.copy(swapped, a.start, b.start, b.end);
  writeFileSync(join(good.layout, "blobs/sha256", blob), swapped);
  const message = /^Cannot accept file of the layer: its digest is sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}$/;
  await assert.rejects(pull(repository, good.layout), outOfLayer({ code: "corrupt", message }));
});

test("a table or tar-split data beyond the limits: pulled whole, and neither is fetched", async () => {
  const members = system(10);
  const { annotations: good } = await imageOf(members);
  const tooLong = (key: string, uncompressedBytes: number) => {
    const fields = (good[key] ?? "").split(":");
    return { [key]: fields.with(2, String(uncompressedBytes)).join(":") };
  };
  for (const annotations of [
    tooLong("io.github.containers.zstd-chunked.manifest-position", (150 << 20) + 1),
    tooLong("io.github.containers.zstd-chunked.tarsplit-position", 2 ** 31 + 1),
  ]) {
    const image = await imageOf(members, { annotations });
    using repository = await newRepository();
    const pulled = await pull(repository, image.layout);
    assert.deepEqual(pulled.blobs.requests, []);
    assert.match(pulled.messages.join(), /is pulled whole: its table of contents is too long$/);
  }
});

test("a table that is not as long as its annotation says is refused", async () => {
  const members = system(10);
  const { annotations: good } = await imageOf(members);
  for (const key of ["manifest-position", "tarsplit-position"].map(
    (name) => `io.github.containers.zstd-chunked.${name}`,
  )) {
    for (const change of [-1, 1]) {
      const fields = (good[key] ?? "").split(":");
      const annotations = { [key]: fields.with(2, String(Number(fields[2]) + change)).join(":") };
      const image = await imageOf(members, { annotations });
      using repository = await newRepository();
      await assert.rejects(pull(repository, image.layout), { code: "corrupt" });
    }
  }
});

test("annotations that are not positions, or name two tables, are refused", async () => {
  for (const annotations of [
    { "io.github.containers.zstd-chunked.manifest-position": "1:2:3" },
    { "containerd.io/snapshot/stargz/toc.digest": `sha256:${"0".repeat(64)}` },
  ]) {
    const image = await imageOf(system(3), { annotations });
    using repository = await newRepository();
    const message = /^Cannot read layer annotations: /;
    await assert.rejects(pull(repository, image.layout), outOfLayer({ code: "corrupt", message }));
  }
});

test("a repository that is being staged pulls whole and keeps no lists", async () => {
  const image = await imageOf(system(10));
  using repository = await newRepository("offline");
  const pulled = await pull(repository, image.layout);
  assert.equal(pulled.blobs.wholeReads.length, 1);
  assert.ok(!readdirSync(repository.path).includes("sealroot"));
});

/** A repository with one image, and an update of it. */
async function repositoryWithUpdate() {
  const before = system(30);
  const repository = await newRepository();
  const old = await imageOf(before);
  await pull(repository, old.layout);
  const update = await imageOf([...before, file("usr/new", noise("new", 5000))]);
  return { repository, update, lists: join(repository.path, "sealroot/files") };
}

test("a list of files is as docs/images.md says", async () => {
  const image = await imageOf([file("usr/large", noise("l", 5000)), file("usr/small", Buffer.from("small"))]);
  using repository = await newRepository();
  await pull(repository, image.layout);
  const [name = ""] = readdirSync(join(repository.path, "sealroot/files"));
  assert.ok(
    repository.streams.entries().some(({ entry, objectId }) => entry.startsWith("oci-layer-") && objectId === name),
  );
  const list = readFileSync(join(repository.path, "sealroot/files", name));
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  const records = [noise("l", 5000), Buffer.from("small")].map((body) => {
    const record = Buffer.alloc(104);
    record.set(sha256(body), 0);
    record.writeUInt32LE(body.length, 32);
    record.set(body.length <= 64 ? body : Buffer.from(verityDigest(body, "sha256"), "hex"), 40);
    return record;
  });
  const content = Buffer.concat([Buffer.from("sealroot-files-1"), ...records.sort(Buffer.compare)]);
  assert.deepEqual(list, Buffer.concat([content, sha256(content)]));
});

test("lists of files are made again when they are gone or damaged, and serve as before", async () => {
  for (const spoil of [
    (list: string) => rmSync(list),
    (list: string) => truncateSync(list, 100),
    (list: string) => truncateSync(list, 0),
    (list: string) => {
      const bytes = readFileSync(list);
      bytes[200] = (bytes[200] ?? 0) ^ 1;
      writeFileSync(list, bytes);
    },
  ]) {
    const { repository, update, lists } = await repositoryWithUpdate();
    const [list = ""] = readdirSync(lists);
    const good = readFileSync(join(lists, list));
    spoil(join(lists, list));
    const pulled = await pull(repository, update.layout);
    assert.equal(pulled.blobs.rangesBytes, bytesOf(update, ["usr/new"]).table + bytesOf(update, ["usr/new"]).files);
    assert.deepEqual(readFileSync(join(lists, list)), good);
    repository.close();
  }
});

test("into a repository without layers nothing is pulled in parts: there is nothing to spare", async () => {
  const path = join(scratch.path, "empty");
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  const pulled = await pull(repository, fixture("zstd-chunked-2layer"));
  assert.deepEqual([pulled.blobs.requests, pulled.blobs.wholeReads.length, pulled.messages], [[], 2, []]);
  assert.deepEqual((await checkRepository(repository)).errors, []);
  const tail = await pull(repository, fixture("zstd-chunked-tail"));
  assert.deepEqual([tail.blobs.requests.length > 0, tail.blobs.wholeReads], [true, []]);
});

test("a list is removed with its layer; gc and fsck know nothing of it", async () => {
  const { repository, update, lists } = await repositoryWithUpdate();
  assert.equal(readdirSync(lists).length, 1);
  await collectGarbage(repository);
  assert.deepEqual(addedStreams(repository), []);
  assert.equal(readdirSync(lists).length, 1);
  assert.deepEqual((await checkRepository(repository)).errors, []);
  await addLayer(repository);
  // Nothing of the old image is left: everything is fetched.
  const pulled = await pull(repository, update.layout);
  assert.ok(pulled.statistics.savedBytes < update.blob.length / 10);
  assert.equal(readdirSync(lists).length, 1);
  repository.close();
});

test("an object that is gone is fetched; one that is another than it was: the layer is pulled whole", async () => {
  for (const damage of ["gone", "altered", "cut"]) {
    const { repository, update } = await repositoryWithUpdate();
    const object = [...repository.objects.entries()].find(({ path }) => readFileSync(path).length === 150_000);
    assert.ok(object?.objectId);
    if (damage === "gone") rmSync(object.path);
    else if (damage === "cut") truncateSync(object.path, 149_000);
    else {
      const bytes = readFileSync(object.path);
      bytes[7] = (bytes[7] ?? 0) ^ 1;
      rmSync(object.path);
      writeFileSync(object.path, bytes);
    }
    if (damage === "altered") {
      // The name is taken by other bytes of the same length, and an insecure repository trusts names.
      const image = await openImage(parseReference(`oci:${update.layout}:v`));
      const messages: string[] = [];
      const blobs = new RangedBlobs(update.layout);
      await recordImage(
        repository,
        { ...image, blobs },
        {
          bootVariants: [],
          restore: false,
          events: (event) => event.type === "message" && messages.push(event.text),
        },
      );
      await image.close();
      assert.match(messages.join(), /is pulled whole: a file that the repository has has changed$/);
      assert.equal(blobs.wholeReads.length, 1);
    } else {
      const pulled = await pull(repository, update.layout);
      assert.equal(pulled.blobs.wholeReads.length, damage === "cut" ? 1 : 0);
      assert.deepEqual((await checkRepository(repository)).errors, []);
    }
    repository.close();
  }
});

test("a link in the place of the lists' directory is refused", async () => {
  const image = await imageOf(system(3));
  using repository = await newRepository();
  const elsewhere = join(scratch.path, `elsewhere-${++made}`);
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, join(repository.path, "sealroot"));
  await assert.rejects(pull(repository, image.layout), { code: "corrupt", message: /is not a directory of its own$/ });
  assert.deepEqual(readdirSync(elsewhere), []);
});

test("a list that is wrong about a file costs one pull, and is made again", async () => {
  const [one, other] = [file("usr/one", noise("1", 5000)), file("usr/other", noise("2", 5000))];
  using repository = await newRepository();
  await pull(repository, (await imageOf([one, other])).layout);
  const lists = join(repository.path, "sealroot/files");
  const [name = ""] = readdirSync(lists);
  const good = readFileSync(join(lists, name));
  const wrong = Buffer.from(good);
  // Each record's last 64 bytes lead to the object.
  good.copy(wrong, 16 + 40, 16 + 104 + 40, 16 + 2 * 104);
  good.copy(wrong, 16 + 104 + 40, 16 + 40, 16 + 104);
  createHash("sha256")
    .update(wrong.subarray(0, -32))
    .digest()
    .copy(wrong, wrong.length - 32);
  writeFileSync(join(lists, name), wrong);
  const first = await pull(repository, (await imageOf([one, other, file("usr/a", noise("a", 9000))])).layout);
  assert.match(first.messages.join(), /is pulled whole: a file that the repository has has changed$/);
  const second = await pull(repository, (await imageOf([one, other, file("usr/b", noise("b", 9000))])).layout);
  assert.deepEqual([second.messages, second.blobs.wholeReads], [[], []]);
  assert.deepEqual(readFileSync(join(lists, name)), good);
});
