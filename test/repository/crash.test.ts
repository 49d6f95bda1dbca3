import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { listErofsObjects } from "../../src/erofs/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { layerStreamName } from "../../src/imagestore/index.ts";
import { startTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import {
  checkRepository,
  collectGarbage,
  findingText,
  openRepository,
  type Repository,
} from "../../src/repository/index.ts";
import { readSplitStream } from "../../src/splitstream/index.ts";
import { makeManyLayers, unpackLayouts } from "./faults/layouts.ts";
import { SCENARIOS, type Scenario } from "./faults/scenarios.ts";

const fault = (name: string) => new URL(`./faults/${name}`, import.meta.url).pathname;

/** Every point takes a process; the ordinary run tries a few of each scenario, and this variable all of them. */
const ALL = process.env.SEALROOT_ALL_FAULTS !== undefined;
const SAMPLES = 4;
const PARALLEL = 2;

let scratch: TemporaryDirectory;
before(async () => {
  scratch = temporaryDirectory();
  mkdirSync(join(scratch.path, "layouts"));
  await unpackLayouts(join(scratch.path, "layouts"));
  await makeManyLayers(join(scratch.path, "layouts"));
});
after(() => scratch.remove());

interface Child {
  readonly killed: boolean;
  /** The changing system calls it made, in order. */
  readonly calls: readonly string[];
}

async function runChild(scenario: Scenario, directory: string, killAt = 0): Promise<Child> {
  const trace = join(directory, "trace");
  const env = {
    SEALROOT_TRACE: trace,
    SEALROOT_KILL_AT: String(killAt),
    NODE_COMPILE_CACHE: join(scratch.path, "compiled"),
    ...(scenario.withoutUnnamedFiles === true ? { SEALROOT_NO_TMPFILE: "1" } : {}),
  };
  const words = ["--import", fault("preload.ts"), fault("run.ts"), scenario.name, directory];
  const child = await startTool(process.execPath, words, { env });
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += String(chunk);
  });
  child.stdout?.resume();
  const { exitCode, signal } = await child.exited;
  assert.ok(exitCode === 0 || signal === "SIGKILL", complaint);
  const calls = readFileSync(trace, "utf8").trimEnd().split("\n");
  rmSync(trace);
  return { killed: signal === "SIGKILL", calls };
}

/** Names, and what links lead to. Contents of objects are fsck's business. */
function listing(directory: string): string[] {
  const repository = join(directory, "repo");
  return readdirSync(repository, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return entry.isSymbolicLink() ? `${path} -> ${readlinkSync(path)}` : path;
    })
    .map((line) => line.slice(repository.length))
    .sort();
}

/** What is wrong, leftovers aside; undefined when there is no repository yet. */
async function damage(directory: string): Promise<string[] | undefined> {
  try {
    using repository = await openRepository(join(directory, "repo"), { upgrade: false });
    return (await checkRepository(repository)).errors.map(findingText);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** Collects garbage and finds nothing wrong and nothing left over afterwards. */
async function collectAndCheck(directory: string): Promise<void> {
  using repository = await openRepository(join(directory, "repo"));
  await collectGarbage(repository);
  const { errors, leftovers } = await checkRepository(repository);
  assert.deepEqual([...errors, ...leftovers].map(findingText), []);
}

async function dieAndRecover(scenario: Scenario, base: string, killAt: number, expected: string[]): Promise<boolean> {
  const directory = join(scratch.path, `${scenario.name}-${killAt}`);
  cpSync(base, directory, { recursive: true, verbatimSymlinks: true });
  const { killed, calls } = await runChild(scenario, directory, killAt);
  const where = `killed at call ${killAt}, ${calls.at(-1)}`;
  const errors = await damage(directory);
  const mayBeAbsent = errors === undefined && scenario.makesRepository === true;
  if (!mayBeAbsent && scenario.beginsDamaged !== true) assert.deepEqual(errors, [], where);
  await scenario.act(directory);
  assert.deepEqual(await damage(directory), [], where);
  await collectAndCheck(directory);
  assert.deepEqual(listing(directory), expected, where);
  rmSync(directory, { recursive: true });
  return killed;
}

for (const scenario of SCENARIOS) {
  test(`${scenario.name}: killed at any system call, nothing is damaged and a second run succeeds`, async (context) => {
    const base = join(scratch.path, `${scenario.name}-base`);
    mkdirSync(base);
    for (const name of readdirSync(join(scratch.path, "layouts"))) {
      cpSync(join(scratch.path, "layouts", name), join(base, name), { recursive: true });
    }
    await scenario.prepare(base);
    const whole = join(scratch.path, `${scenario.name}-whole`);
    cpSync(base, whole, { recursive: true, verbatimSymlinks: true });
    const { calls } = await runChild(scenario, whole);
    await assertOrder(calls, whole);
    await collectAndCheck(whole);
    const expected = listing(whole);
    const step = ALL ? 1 : Math.ceil(calls.length / SAMPLES);
    const points = Array.from({ length: Math.ceil(calls.length / step) }, (_, index) => 1 + index * step);
    let kills = 0;
    const next = async () => {
      for (let point = points.shift(); point !== undefined; point = points.shift()) {
        if (await dieAndRecover(scenario, base, point, expected)) kills++;
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, next));
    context.diagnostic(`${calls.length} points, ${kills} killed and recovered from`);
  });
}

test("what a killed pull had fetched and verified is not fetched again", async () => {
  const scenario = SCENARIOS.find(({ name }) => name === "pull of several layers at once");
  assert.ok(scenario);
  const directory = join(scratch.path, "resumed");
  mkdirSync(directory);
  const image = await makeManyLayers(directory);
  cpSync(join(scratch.path, "layouts", "layout-2"), join(directory, "layout-2"), { recursive: true });
  await scenario.prepare(directory);
  let named: number[] = [];
  // Killed further and further on, until some layers have their names and others do not.
  for (let killAt = 20; named.length === 0; killAt += 5) {
    await runChild(scenario, directory, killAt);
    using repository = await openRepository(join(directory, "repo"));
    const isNamed = (diffId: string) => repository.streams.find(layerStreamName(diffId)) !== undefined;
    named = image.diffIds.flatMap((diffId, index) => (isNamed(diffId) ? [index] : []));
  }
  assert.ok(named.length < image.diffIds.length, "killed too late");
  for (const layer of named) rmSync(image.blobPath(layer));
  await scenario.act(directory);
  assert.deepEqual(await damage(directory), []);
});

/** For power cuts: before a stream or image is named, all it needs is durable; at the end the names are as well. */
async function assertOrder(calls: readonly string[], directory: string): Promise<void> {
  using repository = await openRepository(join(directory, "repo"), { upgrade: false });
  const unsynced = new Set<string>();
  /** Object ids by the links that lead to them, temporary ones included. */
  const targets = new Map<string, string>();
  for (const call of calls) {
    // Paths are absolute and may contain spaces; only what a link leads to is relative.
    const [, name = "", paths = ""] = /^(\S+) ?(.*)$/.exec(call) ?? [];
    const [from = "", to = from] = paths.split(/ (?=\/)/);
    if (name === "syncfs") unsynced.clear();
    if (name === "symlink") targets.set(to, objectIdOf(from));
    if (name === "rename" && targets.has(from)) targets.set(to, targets.get(from) ?? "");
    if (/^(linkat|renameat2|rename)$/.test(name) && to.includes("/objects/")) unsynced.add(objectIdOf(to));
    const named = /\/(streams|images)\/(?!refs\/)/.exec(to)?.[1];
    if (named === undefined || (name !== "symlink" && name !== "rename")) continue;
    // Other layers may be under way at the same time: what they have not synced is theirs.
    const needed = neededBy(repository, targets.get(to) ?? "", named === "images");
    assert.deepEqual(
      needed.filter((objectId) => unsynced.has(objectId)),
      [],
      call,
    );
  }
  const lastChange = calls.findLastIndex((call) => /^(linkat|rename|symlink|unlink|rmdir)/.test(call));
  const lastSync = calls.findLastIndex((call) => /^(syncfs|fsync)/.test(call));
  assert.ok(lastSync > lastChange, `nothing makes this durable: ${calls[lastChange]}`);
}

/** `…/objects/ab/cdef…` is the object `abcdef…`. */
function objectIdOf(path: string): string {
  return path.split("/").slice(-2).join("");
}

/** An object and those without which it is of no use; none when it has been collected since. */
function neededBy(repository: Repository, objectId: string, isImage: boolean): string[] {
  if (!repository.objects.has(objectId)) return [];
  const bytes = repository.objects.read(objectId);
  if (isImage) return [objectId, ...listErofsObjects(bytes)];
  const { objectRefs, namedRefs } = readSplitStream(bytes, { algorithm: repository.algorithm });
  return [objectId, ...objectRefs, ...namedRefs.values()];
}
