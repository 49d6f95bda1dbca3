/** The fault table: what a registry may do wrong, what a pull makes of it, and that nothing unverified gets a name. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { layerStreamName, pullImage } from "../../src/imagestore/index.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import type { RegistryLimits } from "../../src/registry/index.ts";
import { initRepository, type Repository, streamContent } from "../../src/repository/index.ts";
import { type LayeredImage, layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost, type HostPaths } from "./empty-host.ts";
import { type Fault, type FaultScene, RETRIES } from "./fault.ts";
import { FAULTS } from "./fault-table.ts";
import { GOOD, startMisbehavingRegistry } from "./misbehaving-registry.ts";

/** Long enough for a busy machine wherever a row is not about time. */
const LIMITS = { retries: RETRIES, retryDelayMs: 1, retryDelayMaxMs: 1500 };

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let paths: HostPaths;
let usualImage: LayeredImage;
let registry: FaultScene["registry"];

before(async () => {
  scratch = await scratchDirectory();
  paths = await emptyHost(scratch.path);
  const layers = [randomFiles("a", [200_000]), randomFiles("b", [400_000, 100_000]), randomFiles("c", [1000])];
  usualImage = await layeredImage(join(scratch.path, "image"), layers);
  const elsewhere = await startMisbehavingRegistry(usualImage.layout);
  registry = Object.assign(await startMisbehavingRegistry(usualImage.layout), { elsewhere });
});
after(async () => {
  await registry.stop();
  await registry.elsewhere.stop();
  await scratch.remove();
});

let made = 0;
const newDirectory = () => join(scratch.path, String(++made));

async function newRepository(): Promise<Repository> {
  return (await initRepository(newDirectory(), { algorithm: "sha256", protection: "insecure" })).repository;
}

interface PullLimits {
  readonly limits?: Partial<RegistryLimits> | undefined;
  readonly layerLimitBytes?: number | undefined;
}

/** Pulls and gives the id of the image. */
async function pull(repository: Repository, { limits, layerLimitBytes }: PullLimits = {}) {
  const pulled = await pullImage(repository, `docker://${registry.host}/image:t`, {
    name: "x",
    policy: ACCEPT_ANYTHING,
    registry: { paths, limits: { ...LIMITS, ...limits } },
    ...(layerLimitBytes === undefined ? {} : { layerLimitBytes }),
  });
  return pulled.imageIds.get(repository.formats.default);
}

const idOfImage = new Map<LayeredImage, string | undefined>();

/** The id that the image has when it is read from its layout. */
async function rightId(image: LayeredImage): Promise<string | undefined> {
  if (!idOfImage.has(image)) {
    using repository = await newRepository();
    const { imageIds } = await pullImage(repository, image.reference);
    idOfImage.set(image, imageIds.get(repository.formats.default));
  }
  return idOfImage.get(image);
}

async function sceneOf(fault: Fault): Promise<FaultScene> {
  const image = (await fault.image?.(newDirectory())) ?? usualImage;
  const scene = { registry, image, target: image.layers[1]?.digest ?? "" };
  for (const each of [registry, registry.elsewhere]) each.reset(image.layout);
  registry.behaviour = fault.behaviour?.(scene) ?? GOOD;
  registry.elsewhere.behaviour = fault.elsewhere ?? GOOD;
  return scene;
}

async function outcomeOf(fault: Fault, scene: FaultScene, repository: Repository): Promise<string> {
  try {
    assert.equal(await pull(repository, fault), await rightId(scene.image));
    return "pulled";
  } catch (error) {
    if (!(error instanceof SealrootError) || fault.refusal === undefined) throw error;
    assert.match(error.message, fault.refusal.message);
    return error.code;
  }
}

/** Whatever has a name in the repository is what the name says. Returns the diff ids of the layers that have one. */
async function checkNames(repository: Repository, hasTag: boolean): Promise<string[]> {
  const layers: string[] = [];
  const others: string[] = [];
  for (const { entry, objectId } of repository.streams.entries()) {
    if (!entry.startsWith(layerStreamName(""))) {
      others.push(entry);
      continue;
    }
    const hash = createHash("sha256");
    for await (const part of streamContent(repository, objectId)) hash.update(part);
    const diffId = `sha256:${hash.digest("hex")}`;
    assert.equal(entry, layerStreamName(diffId));
    layers.push(diffId);
  }
  // Configuration and manifest.
  assert.equal(others.length, hasTag ? 2 : 0);
  assert.equal(repository.streams.references().length, hasTag ? 1 : 0);
  assert.equal(repository.images.entries().length > 0, hasTag);
  return layers;
}

/** From a registry that behaves: what had proved right before is not asked for again. */
async function checkPulledAgain(scene: FaultScene, repository: Repository, kept: readonly string[]): Promise<void> {
  registry.reset(scene.image.layout);
  assert.equal(await pull(repository), await rightId(scene.image));
  await checkNames(repository, true);
  for (const [index, { digest }] of scene.image.layers.entries()) {
    if (!kept.includes(scene.image.diffIds[index] ?? "")) continue;
    assert.ok(!registry.log.some((line) => line.endsWith(digest)), `layer ${index} was fetched again`);
  }
}

test("the fault table", async (context) => {
  for (const fault of FAULTS) {
    await context.test(fault.name, async () => {
      using repository = await newRepository();
      const scene = await sceneOf(fault);
      const outcome = await outcomeOf(fault, scene, repository);
      assert.equal(outcome, fault.refusal?.code ?? "pulled");
      fault.check?.(scene);
      const requests = registry.log.length;
      const kept = await checkNames(repository, outcome === "pulled");
      const isImageRight = fault.image === undefined || fault.refusal === undefined;
      if (isImageRight) await checkPulledAgain(scene, repository, kept);
      const layers = new Set(scene.image.diffIds).size;
      const columns = [
        fault.name.padEnd(70),
        outcome.padEnd(11),
        `${requests} requests`,
        `${kept.length}/${layers} layers`,
      ];
      context.diagnostic(columns.join("  "));
    });
  }
});

test("an unchanged image costs one request", async () => {
  registry.reset(usualImage.layout);
  using repository = await newRepository();
  await pull(repository);
  registry.reset(usualImage.layout);
  await pull(repository);
  assert.deepEqual(registry.log, ["GET /v2/image/manifests/t"]);
});
