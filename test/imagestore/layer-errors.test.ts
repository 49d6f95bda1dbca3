/** Every error out of a layer says which layer, which entry, and where in its tar. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { ErrorCode, ErrorData, SealrootError } from "../../src/errors/index.ts";
import { computeImageId, pullImage } from "../../src/imagestore/index.ts";
import { MEDIA_TYPE } from "../../src/oci/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { block, directory, file, pax, record } from "../tar/blocks.ts";
import { configOf, HandMadeLayout, TAR_LAYER } from "./hand-made.ts";
import { scratchDirectory } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const USR = directory("usr");
const GOOD = Buffer.concat([USR, file("usr/a", Buffer.from("1")), END_OF_ARCHIVE]);
const THIRD = Buffer.concat([USR, file("usr/third", Buffer.from("3")), END_OF_ARCHIVE]);
const COMMAND = "RUN touch -d @-1 /usr/old";

let images = 0;

interface Broken {
  readonly tar: Uint8Array;
  /** Of what is in the blob, when it is not the tar itself. */
  readonly blob?: Uint8Array;
  readonly layerType?: string;
  readonly history?: readonly object[];
}

/** Four layers, the third of which is the one given. */
function imageWith({ tar, blob = tar, layerType = TAR_LAYER, history }: Broken) {
  const tars = [GOOD, Buffer.concat([USR, END_OF_ARCHIVE]), tar, GOOD];
  const layout = new HandMadeLayout(join(scratch.path, `layout-${++images}`));
  const made = history ?? [
    { created_by: "FROM scratch" },
    { created_by: "ENV a=b", empty_layer: true },
    { created_by: "COPY . /" },
    { created_by: COMMAND },
    { created_by: "COPY again" },
  ];
  const config = layout.put(configOf(tars, { history: made }), MEDIA_TYPE.config);
  const third = layout.put(blob, layerType);
  const layers = tars.map((one, index) => (index === 2 ? third : layout.put(one, TAR_LAYER)));
  const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers };
  return { reference: layout.tag(layout.put(manifest, MEDIA_TYPE.manifest)), digest: third.digest, layout };
}

async function failureOf(reference: string): Promise<SealrootError> {
  const path = join(scratch.path, `repository-${++images}`);
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  return await pullImage(repository, reference, { name: "x" }).then(
    () => assert.fail("the image was pulled"),
    (error: SealrootError) => error,
  );
}

const start = Buffer.concat([USR, file("usr/before", Buffer.from("1"))]);
const at = start.length;
const ENTRY = block({ 0: "usr/old\0" });
const wrongSum = Buffer.from(ENTRY);
wrongSum[0] = 0x58;
const cut = (tar: Uint8Array, bytes: number) => tar.subarray(0, tar.length - bytes);
const large = Buffer.concat([start, file("usr/old", Buffer.alloc(100_000, "x"))]);

const BROKEN: readonly (readonly [string, Broken | Uint8Array, ErrorCode, string, ErrorData])[] = [
  [
    "a number of a PAX record",
    Buffer.concat([start, pax(record("uid", "x")), ENTRY]),
    "corrupt",
    'Cannot read tar entry "usr/old": invalid PAX uid value: "x"',
    { path: "usr/old", offset: at + 512 },
  ],
  [
    "a PAX record, of an entry whose name is in the records",
    Buffer.concat([start, pax(record("path", `usr/${"n".repeat(120)}`), record("mtime", "today")), ENTRY]),
    "corrupt",
    `Cannot read tar entry "usr/${"n".repeat(120)}": invalid PAX mtime value: "today"`,
    { path: `usr/${"n".repeat(120)}`, offset: at + 512 },
  ],
  [
    "a header's number",
    Buffer.concat([start, block({ 0: "usr/old\0", 136: "9" })]),
    "corrupt",
    'Cannot read tar entry "usr/old": mtime "90000000005" is not an octal number',
    { path: "usr/old", offset: at },
  ],
  [
    "a checksum",
    Buffer.concat([start, wrongSum]),
    "corrupt",
    'Cannot read tar stream after "usr/before": header checksum is wrong',
    { offset: at },
  ],
  [
    "two headers of a kind",
    Buffer.concat([start, pax(), pax(record("uid", "1")), pax(), ENTRY]),
    "corrupt",
    'Cannot read tar stream after "usr/before": two "x" headers for one entry',
    { offset: at + 512 },
  ],
  [
    "an end",
    cut(large, 600),
    "corrupt",
    'Cannot read tar entry "usr/old": unexpected end inside an entry',
    { path: "usr/old", offset: large.length - 600 },
  ],
  [
    "an entry's type",
    Buffer.concat([start, block({ 0: "usr/old\0", 156: "V" }), END_OF_ARCHIVE]),
    "unsupported",
    'Cannot use layer entry "usr/old": type "V" is not supported',
    { path: "usr/old", offset: at },
  ],
  [
    "a link without a target",
    Buffer.concat([start, block({ 0: "usr/old\0", 156: "2" }), END_OF_ARCHIVE]),
    "corrupt",
    'Cannot use layer entry "usr/old": a link without a target',
    { path: "usr/old", offset: at },
  ],
  [
    "a parent",
    Buffer.concat([start, file("usr/no/old", Buffer.from("1")), END_OF_ARCHIVE]),
    "corrupt",
    'Cannot apply layer entry "usr/no/old": Directory entry "no" does not exist',
    { path: "usr/no/old", offset: at },
  ],
  [
    "a cut gzip",
    { tar: THIRD, blob: cut(gzipSync(THIRD), 20), layerType: `${TAR_LAYER}+gzip` },
    "corrupt",
    "Cannot decompress gzip data: unexpected end of file",
    {},
  ],
  [
    "a cut zstd",
    { tar: THIRD, blob: cut(zstdCompressSync(THIRD), 8), layerType: `${TAR_LAYER}+zstd` },
    "corrupt",
    "Cannot decompress zstd data: unexpected end inside a frame",
    { offset: zstdCompressSync(THIRD).length - 8 },
  ],
];

for (const [what, broken, code, message, data] of BROKEN) {
  test(`${what}: the error names layer, command, entry and offset`, async () => {
    const { reference, digest } = imageWith(broken instanceof Uint8Array ? { tar: broken } : broken);
    const error = await failureOf(reference);
    assert.equal(error.message, `Cannot read layer 3 of 4 (${digest}, made by "${COMMAND}"): ${message}`);
    assert.equal(error.code, code);
    const { path, offset } = error.data;
    assert.deepEqual({ path, offset }, { path: undefined, offset: undefined, ...data });
  });
}

test("a tar that is not the one of the diff id, a blob that is not the one of the manifest, and one that is missing", async () => {
  const other = Buffer.concat([USR, file("usr/old", Buffer.from("2")), END_OF_ARCHIVE]);
  const swapped = imageWith({ tar: THIRD, blob: other });
  const place = (digest: string) => `Cannot read layer 3 of 4 (${digest}, made by "${COMMAND}"): `;
  const ours = (await failureOf(swapped.reference)).message;
  assert.ok(ours.startsWith(`${place(swapped.digest)}Cannot accept the unpacked tar: its digest is sha256:`), ours);
  const damaged = imageWith({ tar: Buffer.concat([USR, file("usr/old", Buffer.from("3")), END_OF_ARCHIVE]) });
  const blobPath = join(damaged.layout.path, "blobs/sha256", damaged.digest.slice(7));
  writeFileSync(blobPath, other);
  const corrupt = await failureOf(damaged.reference);
  assert.ok(corrupt.message.startsWith(`${place(damaged.digest)}Cannot accept `), corrupt.message);
  assert.equal(corrupt.code, "corrupt");
});

test("without a history that fits, a command is not guessed; a long one is cut", async () => {
  const tar = Buffer.concat([start, wrongSum]);
  const reason = 'Cannot read tar stream after "usr/before": header checksum is wrong';
  const short = imageWith({ tar, history: [{ created_by: "all of it" }] });
  assert.equal((await failureOf(short.reference)).message, `Cannot read layer 3 of 4 (${short.digest}): ${reason}`);
  const history = [{}, {}, { created_by: `RUN "${"x".repeat(200)}"` }, {}];
  const long = imageWith({ tar, history });
  const command = JSON.stringify(`RUN "${"x".repeat(115)}…`);
  const expected = `Cannot read layer 3 of 4 (${long.digest}, made by ${command}): ${reason}`;
  assert.equal((await failureOf(long.reference)).message, expected);
});

test("read again from the repository, a layer that does not fit is named too", async () => {
  // The layers themselves are right, so they stay; only the tree cannot be made of them.
  const tar = Buffer.concat([start, block({ 0: "usr/old\0", 156: "V" }), END_OF_ARCHIVE]);
  const { reference, digest } = imageWith({ tar });
  const path = join(scratch.path, "again");
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  const message = `Cannot read layer 3 of 4 (${digest}, made by "${COMMAND}"): Cannot use layer entry "usr/old": type "V" is not supported`;
  const data = { step: "make root file system image", path: "usr/old", offset: at };
  const expected = { code: "unsupported", message, data };
  await assert.rejects(pullImage(repository, reference, { name: "x" }), expected);
  await assert.rejects(pullImage(repository, reference, { name: "x" }), expected);
  await assert.rejects(computeImageId(repository, "x", { bootable: false, keepUserXattrs: false }), {
    code: "not-found",
  });
});
