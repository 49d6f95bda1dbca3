/**
 * The power goes at any moment of an update: what every write and flush of the guest leaves on the disk is looked at offline,
 * and a sample is booted. Complete with SEALROOT_ALL_POWER_CUTS=1: each flush, the first boot of a host, and 20 states booted.
 */
import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { databaseOfDirectory } from "../../src/keys/index.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { type CutPoint, type CutState, type CutTally, copyStates, cutEverywhere } from "./powercut/cut-run.ts";
import {
  makeUpdates,
  type RecordedRun,
  recordBoot,
  recordSteps,
  shutDown,
  startHost,
  switchTo,
  type Updates,
} from "./powercut/recorded-update.ts";
import { guestText, type SealedExample, sealedExample } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const ALL = process.env.SEALROOT_ALL_POWER_CUTS === "1";
const EVERY_ROOT_FLUSH = ALL ? 1 : 10;
const CUTS_BETWEEN = ALL ? 4 : 1;
const BOOTS = ALL ? 20 : 1;
/** One of so many is booted once more, into the update that follows. */
const BOOTED_AGAIN = 5;

describe("a power cut at any moment of an update", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let updates: Updates;
  let diskPath: string;

  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "power-cut" });
    updates = await makeUpdates(example, directory.path);
    diskPath = join(directory.path, "disk.img");
    await runTool("cp", ["--sparse=always", example.diskPath, diskPath]);
  });
  after(() => directory?.remove());

  const place = (name: string) => ({ diskPath, directory: directory.path, name });
  const cut = async (run: RecordedRun): Promise<CutTally> => {
    using memory = temporaryDirectory({ parent: inMemory(), purpose: "cut" });
    const databases = [databaseOfDirectory(example.keysDirectory)];
    const plan = { ...run, directory: memory.path, databases };
    return await cutEverywhere({ ...plan, everyRootFlush: EVERY_ROOT_FLUSH, cutsBetween: CUTS_BETWEEN });
  };
  const copies = async (run: RecordedRun, states: readonly CutState[]): Promise<string[]> => {
    using memory = temporaryDirectory({ parent: inMemory(), purpose: "cut" });
    const pathOf = (point: CutPoint) => join(directory.path, `cut-${point.flush}-${point.cut}.img`);
    await copyStates({ ...run, directory: memory.path }, states, pathOf);
    return states.map(pathOf);
  };

  test("leaves the old system or the new one, and the next update succeeds", async (context) => {
    const steps = ALL ? ["update=second", "update=third", "gc", "rollback"] : ["update=second", "rollback"];
    const run = await recordSteps(updates, place("updates"), steps);
    const tally = await cut(run);
    context.diagnostic(table(steps.join(", "), tally));
    assert.deepEqual([...tally.faults], []);
    const [first, second, third] = [example.deploymentId, updates.second.deploymentId, updates.third.deploymentId];
    assert.deepEqual(changes(tally), ALL ? [first, second, third, second] : [first, second, first]);
    const ofFirst = tally.order.filter(({ menu }) => !menu.includes(third));
    for (const [index, path] of (await copies(run, samplesOf(ofFirst, BOOTS))).entries()) {
      await assertBoots(path, [first, second], ALL && index % BOOTED_AGAIN === 0);
    }
  });

  const completeTest = ALL ? test : () => {};
  completeTest("of a first boot leaves what boots again", async (context) => {
    await runTool("cp", ["--sparse=always", example.diskPath, diskPath]);
    const run = await recordBoot(example, updates, place("boot"), (guest) => switchTo(guest, "second"));
    const tally = await cut(run);
    context.diagnostic(table("first boot, switch, shutdown", tally));
    assert.deepEqual([...tally.faults], []);
    assert.deepEqual(changes(tally), [example.deploymentId, updates.second.deploymentId]);
  });

  /** One of the two systems, verified; status is well; the next update is staged and switched to, and boots where asked. */
  async function assertBoots(path: string, ids: readonly string[], bootsNext: boolean): Promise<void> {
    const guest = await startHost(example, updates, path);
    try {
      const root = await guestText(guest, "findmnt -no SOURCE,OPTIONS /");
      const [source = ""] = root.split(" ");
      assert.ok(ids.map((id) => `composefs:${id}`).includes(source), root);
      assert.match(root, /verity=require/);
      const { exitCode, stdout, stderr } = await guest.run("sealroot status --json --exit-code");
      assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
      assert.equal(`composefs:${JSON.parse(stdout.toString()).status.booted.composefs.verity}`, source);
      await switchTo(guest, "third");
      await shutDown(guest);
    } finally {
      await guest.stop();
    }
    if (!bootsNext) return;
    const next = await startHost(example, updates, path);
    try {
      assert.equal(await guestText(next, "findmnt -no SOURCE /"), `composefs:${updates.third.deploymentId}`);
    } finally {
      await next.stop();
    }
  }
});

/** What the durable states start by themselves, in the order of time, each once as long as it lasts. */
function changes({ order }: CutTally): (string | undefined)[] {
  const ids = order.filter(({ cut }) => cut === 0).map(({ defaultId }) => defaultId);
  return ids.filter((id, index) => id !== ids[index - 1]);
}

/** States to be booted: the first one after the switch, those around it, and others spread over the run. */
function samplesOf(order: readonly CutState[], count: number): CutState[] {
  const first = order.findIndex(({ defaultId }) => defaultId !== order[0]?.defaultId);
  const around = [first, first - 1, first + 1].flatMap((index) => order[index] ?? []);
  const step = Math.max(1, Math.floor(order.length / Math.max(1, count - around.length)));
  const spread = order.filter((state, index) => index % step === 0 && !around.includes(state));
  return [...around, ...spread].slice(0, count);
}

/** The file systems are copied hundreds of times. */
function inMemory(): string {
  const { bavail, bsize } = statfsSync("/dev/shm");
  return bavail * bsize > 4 * 2 ** 30 ? "/dev/shm" : "/var/tmp";
}

function table(name: string, { flushes, espFlushes, states, filesVerified, defaults, faults }: CutTally): string {
  const starts = [...defaults].map(([id, count]) => `${id.slice(0, 8)} in ${count}`).join(", ");
  const wrong = [...faults].map(([fault, places]) => `\n  ${places.length} times, first ${places[0]}: ${fault}`);
  return (
    `${name}: ${flushes} flushes, ${espFlushes} of them of the ESP; ${states} states, ${filesVerified} files verified; ` +
    `starts ${starts}; ${faults.size} faults${wrong.join("")}`
  );
}
