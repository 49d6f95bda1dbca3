import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { SealrootError } from "../../src/errors/index.ts";
import type { WorkEvent } from "../../src/events/index.ts";
import { openImage } from "../../src/images/index.ts";
import { layerStreamName } from "../../src/imagestore/index.ts";
import { recordImage } from "../../src/imagestore/pull/record-image.ts";
import { digestOf, OciLayout, parseReference } from "../../src/oci/index.ts";
import { type Repository, streamContent } from "../../src/repository/index.ts";
import { type FixtureLayer, fixtureLayers, parts, unzstd } from "../chunked/layers.ts";
import { Random } from "../fuzz/random.ts";
import { addedStreams, filledRepository } from "./filled-repository.ts";
import { RangedBlobs } from "./ranged-blobs.ts";
import { scratchDirectory } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

type Json = Record<string, unknown>;

const FIELDS = [
  ...["name", "type", "size", "digest", "offset", "endOffset", "chunkSize", "chunkOffset", "chunkDigest", "chunkType"],
  ...["mode", "linkName", "modtime"],
];

/** What a liar would change: a field for another entry's, a number nearby, an entry left out, twice, or elsewhere. */
function changeTable(entries: Json[], random: Random): void {
  const at = random.below(entries.length);
  const entry = entries[at] ?? {};
  const other = random.pick(entries);
  const field = random.pick(FIELDS);
  switch (random.below(6)) {
    case 0:
      entry[field] = other[field];
      break;
    case 1:
      if (typeof entry[field] === "number") entry[field] += random.pick([-1, 1, 8, 512, 2 ** 40]);
      break;
    case 2:
      entries.splice(at, 1);
      break;
    case 3:
      entries.splice(random.below(entries.length), 0, { ...entry });
      break;
    case 4:
      entries.splice(random.below(entries.length), 0, ...entries.splice(at, 1 + random.below(8)));
      break;
    default:
      // Contents exchanged: digests and places agree with each other, and not with the tar.
      for (const key of ["digest", "offset", "endOffset"]) [entry[key], other[key]] = [other[key], entry[key]];
  }
}

/** The changed table in a blob whose annotations vouch for it. */
function withTable({ blob, annotations }: FixtureLayer, toc: string): FixtureLayer {
  const json = Buffer.from(toc);
  const compressed = zstdCompressSync(json);
  const frame = Buffer.concat([Buffer.from("502a4d18", "hex"), Buffer.alloc(4), compressed]);
  frame.writeUInt32LE(compressed.length, 4);
  return {
    blob: Buffer.concat([blob, frame]),
    annotations: {
      ...annotations,
      "io.github.containers.zstd-chunked.manifest-position": `${blob.length + 8}:${compressed.length}:${json.length}:1`,
      "io.github.containers.zstd-chunked.manifest-checksum": digestOf(compressed),
    },
  };
}

async function layoutOf(layer: FixtureLayer, diffId: string, name: string): Promise<OciLayout> {
  const layout = await OciLayout.create(join(scratch.path, name));
  const info = await layout.blobs.put(layer.blob);
  const config = await layout.putConfig({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [diffId] },
  });
  const mediaType = "application/vnd.oci.image.layer.v1.tar+zstd";
  const layers = [{ mediaType, ...info, annotations: { ...layer.annotations } }];
  await layout.putManifest({ schemaVersion: 2, config, layers }, { tag: "v" });
  return layout;
}

async function contentOf(repository: Repository, diffId: string): Promise<string> {
  const hash = createHash("sha256");
  const { objectId } = repository.streams.resolve(layerStreamName(diffId));
  for await (const piece of streamContent(repository, objectId)) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}

test("whatever a table says, the layer is the right tar or is refused", { timeout: 240_000 }, async () => {
  const [good] = fixtureLayers("zstd-chunked-hand", "hz-hand-good");
  assert.ok(good);
  const diffId = digestOf(await unzstd(good.blob));
  const table = parts(good).toc;
  const outcomes = { right: 0, refused: 0 };
  for (let index = 0; index < 60; index++) {
    const random = new Random(1, "table", index);
    const json: { entries: Json[] } = JSON.parse(table);
    for (let changes = 1 + random.below(3); changes > 0; changes--) changeTable(json.entries, random);
    const layout = await layoutOf(withTable(good, JSON.stringify(json)), diffId, `layout-${index}`);
    using repository = await filledRepository(join(scratch.path, `repository-${index}`));
    const image = await openImage(parseReference(`oci:${layout.directory}:v`));
    const blobs = new RangedBlobs(layout.directory, { pieceBytes: 1 + random.below(9000) });
    try {
      await recordImage(repository, { ...image, blobs }, { bootVariants: [], restore: false, events: () => {} });
      assert.equal(await contentOf(repository, diffId), diffId);
      outcomes.right += 1;
    } catch (error) {
      assert.ok(error instanceof SealrootError && error.code === "corrupt", `execution ${index}: ${error}`);
      assert.deepEqual(addedStreams(repository), []);
      outcomes.refused += 1;
    } finally {
      await image.close();
    }
  }
  assert.ok(outcomes.right > 2 && outcomes.refused > 15, JSON.stringify(outcomes));
});

test("a table of very many entries is left alone, and the layer pulled whole", async () => {
  const [good] = fixtureLayers("zstd-chunked-hand", "hz-hand-good");
  assert.ok(good);
  const diffId = digestOf(await unzstd(good.blob));
  const many = `{"version":1,"entries":[${"{},".repeat(500_000)}{}]}`;
  const layout = await layoutOf(withTable(good, many), diffId, "many-entries");
  using repository = await filledRepository(join(scratch.path, "many"));
  const image = await openImage(parseReference(`oci:${layout.directory}:v`));
  const told: string[] = [];
  const events = (event: WorkEvent) => event.type === "message" && told.push(event.text);
  const blobs = new RangedBlobs(layout.directory);
  await recordImage(repository, { ...image, blobs }, { bootVariants: [], restore: false, events });
  await image.close();
  assert.equal(await contentOf(repository, diffId), diffId);
  assert.match(told.join("\n"), /is pulled whole: its table of contents has too many entries$/);
});
