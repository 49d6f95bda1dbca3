/**
 * `./just fuzz [SECONDS] [TARGET…]`: the search for inputs that do harm.
 *
 * Each target runs in a thread of its own; this one watches that every execution ends. A finding is saved and named with
 * its seed and execution, and the search continues with the next target; exit code 1 then.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { type CampaignResult, finding, INPUT_TIME_MAX_MS, runCampaign } from "./campaign.ts";
import { Random } from "./random.ts";
import { makeInput } from "./target.ts";
import { TARGETS } from "./targets/index.ts";

const SECONDS_DEFAULT = 60;
/** A thread whose execution does not change for so long is taken for hanging. */
const HANG_MS = 4 * INPUT_TIME_MAX_MS;

interface Task {
  readonly target: string;
  readonly seed: number;
  readonly timeMs: number;
  /** One number: the execution that is under way. */
  readonly progress: SharedArrayBuffer;
}

if (parentPort === null) process.exitCode = await main(process.argv.slice(2));
else parentPort.postMessage(await runTask(workerData as Task));

async function main([seconds = String(SECONDS_DEFAULT), ...names]: string[]): Promise<number> {
  const targets = TARGETS.filter(({ name }) => names.length === 0 || names.includes(name));
  const timeMs = (Number(seconds) * 1000) / targets.length;
  if (!(timeMs > 0) || targets.length === 0) {
    console.error(`fuzz: give seconds and targets, of: ${TARGETS.map(({ name }) => name).join(" ")}`);
    return 2;
  }
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}, ${(timeMs / 1000).toFixed(1)} s a target`);
  let findings = 0;
  for (const { name } of targets) {
    try {
      console.log(resultLine(await watch({ target: name, seed, timeMs, progress: new SharedArrayBuffer(4) })));
    } catch (error) {
      findings++;
      console.error(error instanceof Error ? error.message : error);
    }
  }
  return findings === 0 ? 0 : 1;
}

function resultLine({ target, executions, accepted, slowestMs, grownBytes }: CampaignResult): string {
  const columns = [`${executions} executions`, `${accepted} accepted`, `slowest ${slowestMs.toFixed(0)} ms`];
  return `${target.padEnd(18)} ${columns.join(", ")}, memory +${Math.round(grownBytes / 2 ** 20)} MiB`;
}

async function runTask({ target: name, seed, timeMs, progress }: Task): Promise<CampaignResult> {
  const target = TARGETS.find((each) => each.name === name);
  if (target === undefined) throw new Error(`no target ${name}`);
  const current = new Int32Array(progress);
  return await runCampaign(target, { seed, timeMs, onExecution: (index) => Atomics.store(current, 0, index) });
}

/** Runs a task in a thread. @throws Error for a finding; ends the whole program when the thread hangs. */
function watch(task: Task): Promise<CampaignResult> {
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  const current = new Int32Array(task.progress);
  let last = -1;
  let unchangedSince = performance.now();
  const timer = setInterval(() => {
    const index = Atomics.load(current, 0);
    if (index !== last) unchangedSince = performance.now();
    last = index;
    if (performance.now() - unchangedSince > HANG_MS) void reportHang(task, index);
  }, 1000);
  return new Promise<CampaignResult>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`${task.target}: its thread ended with code ${code}`)));
  }).finally(() => clearInterval(timer));
}

/** A thread inside a system call cannot be ended, so everything ends. The input is made a second time. */
async function reportHang({ target: name, seed }: Task, index: number): Promise<never> {
  const target = TARGETS.find((each) => each.name === name);
  if (target === undefined) process.exit(1);
  const input = makeInput(target, await target.corpus(), index, new Random(seed, name, index));
  console.error(finding(target, seed, index, input, `not ended after ${HANG_MS} ms`).message);
  process.exit(1);
}
