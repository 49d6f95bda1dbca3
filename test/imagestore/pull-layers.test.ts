import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SealrootError } from "../../src/errors/index.ts";
import type { WorkEvent } from "../../src/events/index.ts";
import { computeImageId, findImage, layerStreamName, pullImage } from "../../src/imagestore/index.ts";
import { runBounded, untilAborted } from "../../src/platform/run-bounded.ts";
import { collectGarbage, initRepository, type Repository } from "../../src/repository/index.ts";
import { file, layeredImage, randomFiles } from "./layered-image.ts";
import { scratchDirectory } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

let made = 0;
const newDirectory = () => join(scratch.path, String(++made));
async function newRepository(): Promise<Repository> {
  return (await initRepository(newDirectory(), { algorithm: "sha256", protection: "insecure" })).repository;
}

const PLAIN = { bootable: false, keepUserXattrs: false };

/** The entries of streams and images, without tags. */
function namesIn(repository: Repository): string[] {
  return [...repository.streams.entries(), ...repository.images.entries()].map(({ entry }) => entry);
}

test("the tree is that of the layers in their order, whichever arrives first, and also when read again", async () => {
  const layers = Array.from({ length: 6 }, (_, index) => [
    file("shared", Buffer.alloc(100 + index, index)),
    ...randomFiles(`layer-${index}`, index % 2 === 0 ? [900_000, 70, 3] : [500]),
    ...(index === 4 ? [file(".wh.layer-0-0", Buffer.alloc(0))] : []),
  ]);
  const image = await layeredImage(newDirectory(), layers);
  using repository = await newRepository();
  const pulled = await pullImage(repository, image.reference, { name: "x" });
  const id = pulled.imageIds.get(repository.formats.default);
  // Computed from the streams, where the pull took what it had just seen.
  assert.equal(await computeImageId(repository, "x", PLAIN), id);
  assert.deepEqual([...(await findImage(repository, "x")).layers.keys()].sort(), image.diffIds.toSorted());
});

test("a layer that the manifest lists twice is fetched once and applied twice", async () => {
  const layers = [[file("a", Buffer.alloc(1000, 1))], [file("a", Buffer.alloc(1000, 2))]];
  const image = await layeredImage(newDirectory(), layers, { order: [0, 1, 0] });
  using repository = await newRepository();
  const events: WorkEvent[] = [];
  const pulled = await pullImage(repository, image.reference, { name: "x", events: (event) => events.push(event) });
  const finished = events.flatMap((event) => (event.type === "subtask" && event.state === "finished" ? event.id : []));
  assert.deepEqual(
    finished.sort(),
    image.layers
      .slice(0, 2)
      .map(({ digest }) => digest)
      .sort(),
  );
  assert.equal(pulled.imageIds.get(repository.formats.default), await computeImageId(repository, "x", PLAIN));
});

test("layers that are there already cost nothing: their blobs need not even exist", async () => {
  const lower = randomFiles("lower", [300_000]);
  using repository = await newRepository();
  await pullImage(repository, (await layeredImage(newDirectory(), [lower])).reference, { name: "lower" });
  const image = await layeredImage(newDirectory(), [lower, randomFiles("upper", [100_000])]);
  rmSync(image.blobPath(0));
  const events: WorkEvent[] = [];
  await pullImage(repository, image.reference, { name: "x", events: (event) => events.push(event) });
  const subtasks = events.flatMap((event) => (event.type === "subtask" ? [[event.id, event.state]] : []));
  assert.deepEqual(subtasks[0], [image.layers[0]?.digest, "present"]);
  assert.deepEqual(new Set(subtasks.slice(1).map(([id]) => id)), new Set([image.layers[1]?.digest]));
  const first = events.find((event) => event.type === "progress");
  assert.equal(first?.total, image.layers[1]?.size);
});

test("progress adds up: one sum over all layers, each layer's own, and both end at their totals", async () => {
  const image = await layeredImage(
    newDirectory(),
    [0, 1, 2, 3].map((index) => randomFiles(`f${index}`, [200_000])),
  );
  const totalBytes = image.layers.reduce((sum, { size }) => sum + size, 0);
  using repository = await newRepository();
  const events: WorkEvent[] = [];
  await pullImage(repository, image.reference, { name: "x", events: (event) => events.push(event) });
  const sums = events.flatMap((event) => (event.type === "progress" ? [event] : []));
  assert.deepEqual(sums[0], { type: "progress", step: "pull layers", done: 0, total: totalBytes, unit: "bytes" });
  assert.equal(sums.at(-1)?.done, totalBytes);
  for (const { digest, size } of image.layers) {
    const own = events.flatMap((event) => (event.type === "subtask" && event.id === digest ? [event] : []));
    const last = own.at(-1);
    assert.deepEqual([last?.state, last?.done, last?.total, last?.unit], ["finished", size, size, "bytes"]);
    assert.ok(own.slice(0, -1).every(({ state }) => state === "running"));
  }
});

test("one bad layer of many ends the pull with its error; what had proved right is not fetched again", async () => {
  const image = await layeredImage(
    newDirectory(),
    Array.from({ length: 8 }, (_, index) => randomFiles(`f${index}`, [60_000 * (8 - index)])),
  );
  const bad = 4;
  const good = readFileSync(image.blobPath(bad));
  const altered = Buffer.from(good);
  altered[good.length >> 1] = (altered[good.length >> 1] as number) ^ 1;
  writeFileSync(image.blobPath(bad), altered);
  using repository = await newRepository();
  await assert.rejects(pullImage(repository, image.reference, { name: "x" }), (error: SealrootError) => {
    assert.equal(error.code, "corrupt");
    assert.match(error.message, /digest|decompress|checksum/i);
    return true;
  });
  const kept = namesIn(repository);
  assert.ok(!kept.includes(layerStreamName(image.diffIds[bad] ?? "")));
  assert.ok(kept.length > 0 && kept.every((entry) => entry.startsWith("oci-layer-")), kept.join(" "));
  assert.deepEqual(repository.streams.references(), []);
  writeFileSync(image.blobPath(bad), good);
  const events: WorkEvent[] = [];
  await pullImage(repository, image.reference, { name: "x", events: (event) => events.push(event) });
  const present = events.filter((event) => event.type === "subtask" && event.state === "present");
  assert.equal(present.length, kept.length);
});

test("a refused pull leaves no layer under a name that did not prove right, and gc takes the rest", async () => {
  const image = await layeredImage(newDirectory(), [randomFiles("a", [2_000_000])]);
  const good = readFileSync(image.blobPath(0));
  writeFileSync(image.blobPath(0), good.subarray(0, good.length - 100));
  using repository = await newRepository();
  await assert.rejects(pullImage(repository, image.reference), { code: "corrupt" });
  assert.deepEqual(namesIn(repository), []);
  await collectGarbage(repository);
  assert.deepEqual([...repository.objects.entries()], []);
});

test("a bomb is refused with the size of the blob and the limit, which can be raised", async () => {
  const sizeBytes = 64 << 20;
  for (const compression of ["gzip", "zstd"] as const) {
    const image = await layeredImage(newDirectory(), [[file("zeros", Buffer.alloc(sizeBytes))]], { compression });
    const blobBytes = image.layers[0]?.size;
    using repository = await newRepository();
    await assert.rejects(pullImage(repository, image.reference, { layerLimitBytes: sizeBytes }), {
      code: "unsupported",
      message: `Cannot read layer 1 of 1 (${image.layers[0]?.digest}): Cannot unpack it: its ${blobBytes} bytes become more than ${sizeBytes}`,
    });
    assert.deepEqual(namesIn(repository), []);
    const pulled = await pullImage(repository, image.reference, { layerLimitBytes: sizeBytes + 10_000 });
    assert.equal(pulled.statistics.storedBytes, sizeBytes);
  }
});

test("runBounded() begins in order, never more than the limit, and ends all with the first failure", async () => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  await runBounded([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await sleep(1);
    running--;
  });
  assert.deepEqual([begun, most], [[1, 2, 3, 4, 5], 2]);

  const ended: string[] = [];
  const run = runBounded(["fails", "waits", "never"], 2, async (item, signal) => {
    if (item === "fails") throw new Error("first");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    ended.push(item);
    throw new Error("second");
  });
  await assert.rejects(run, { message: "first" });
  assert.deepEqual(ended, ["waits"]);
});

test("untilAborted() leaves a source that never answers", async () => {
  const controller = new AbortController();
  async function* stalled() {
    yield 1;
    await new Promise(() => {});
  }
  const seen: number[] = [];
  const run = (async () => {
    for await (const part of untilAborted(stalled(), controller.signal)) {
      seen.push(part);
      setImmediate(() => controller.abort(new Error("enough")));
    }
  })();
  await assert.rejects(run, { message: "enough" });
  assert.deepEqual(seen, [1]);
});

test("an image that is there already costs its manifest: no layer, no configuration, no new image", async () => {
  const image = await layeredImage(newDirectory(), [randomFiles("a", [100_000])]);
  using repository = await newRepository();
  await pullImage(repository, image.reference, { name: "x" });
  const before = namesIn(repository);
  const { config } = JSON.parse(
    readFileSync(image.layout.blobs.pathOf((await image.layout.readIndex()).manifests[0]?.digest ?? ""), "utf8"),
  );
  for (const digest of [config.digest, image.layers[0]?.digest])
    writeFileSync(image.layout.blobs.pathOf(digest), "gone");
  const events: WorkEvent[] = [];
  const again = await pullImage(repository, image.reference, { name: "y", events: (event) => events.push(event) });
  const steps = events.flatMap((event) => (event.type === "step-started" ? event.step : []));
  assert.deepEqual(steps, ["read image"]);
  assert.deepEqual(namesIn(repository), before);
  assert.deepEqual([...again.imageIds.values()], [...(await findImage(repository, "y")).images.values()]);
});

test("what is missing of an image that is there is made again: its EROFS image, its name, its boot variant", async () => {
  const members = [...randomFiles("a", [100_000])];
  const image = await layeredImage(newDirectory(), [members]);
  using repository = await newRepository();
  const first = await pullImage(repository, image.reference, { name: "x" });
  const id = first.imageIds.get(repository.formats.default) ?? "";
  for (const path of [repository.objects.path(id), join(repository.path, "images", id)]) {
    rmSync(path);
    await pullImage(repository, image.reference, { name: "x" });
    assert.equal(repository.images.find(id), id);
    assert.ok(repository.objects.has(id));
  }
  await assert.rejects(pullImage(repository, image.reference, { name: "x", bootable: true }), {
    message: /Directory entry "boot" does not exist$/,
  });
});
