/**
 * Who waits for whom while an image is pulled and a repository is checked: a lane for each thread, in bench/trace.svg; and what each
 * thread did, in text. Nothing of it is in the program: what a thread does is from `node --cpu-prof`, how long it ran and
 * stood in line from /proc.
 *
 * `node bench/trace.ts [--quick] [--output FILE]`; with `--quick` of the small example.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeSealedDisk } from "../examples/debian/sealed-disk.ts";
import { silent } from "../src/events/index.ts";
import { measure } from "./measure.ts";
import { CHECKOUT, makeProgram, NODE_WORDS, sealroot } from "./sealroot.ts";
import { sampleThreads, type ThreadSample, useOf } from "./thread-times.ts";
import { type Lane, type Trace, tracePlot } from "./trace-plot.ts";
import { ACTIVITIES, type CpuProfile, type Slice, slicesOf } from "./trace-profile.ts";

const SAMPLE_MS = 10;
const PROFILE_INTERVAL_US = 500;
/** The picture has about this many columns. */
const SLICES = 140;
/** As bin/sealroot starts Node. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "8388608" };

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    output: { type: "string", default: join(import.meta.dirname, "trace.svg") },
    scratch: { type: "string", default: "/dev/shm" },
  },
});
const disk = await makeSealedDisk({ full: !values.quick, reuse: true, quiet: true, events: silent });
await makeProgram();
const scratch = mkdtempSync(join(values.scratch, "trace-"));
try {
  const repository = join(scratch, "repository");
  const compiled = join(scratch, "compiled");
  const pull = ["image", "pull", "--quiet", "--repo", repository, disk.image.reference, "bench"];
  const newRepository = () => {
    rmSync(repository, { recursive: true, force: true });
    measure(sealroot("repo", "init", "--insecure", repository));
  };
  // Compiled code is kept by the first run, as it is in every later one of a user.
  newRepository();
  await record("warm up", pull, compiled);
  newRepository();
  const traces = [
    await record("image pull, one gzip layer", pull, compiled),
    await record("repo fsck of that repository", ["repo", "fsck", "--quiet", "--repo", repository], compiled),
  ];
  writeFileSync(values.output, tracePlot("Who waits for whom", traces));
  for (const trace of traces) console.log(traceText(trace));
  console.error(`bench: the picture is ${values.output}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function record(title: string, words: readonly string[], compiled: string): Promise<Trace> {
  const profiles = join(scratch, "profiles");
  mkdirSync(profiles);
  const profiling = ["--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-interval=${PROFILE_INTERVAL_US}`];
  const program = [...NODE_WORDS, ...profiling, join(CHECKOUT, "src/cli/main.ts"), ...words];
  const child = spawn(process.execPath, program, {
    env: { ...process.env, ...MALLOC, NODE_COMPILE_CACHE: compiled },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  const samples = await sampleThreads(child.pid ?? 0, SAMPLE_MS, exited);
  if ((await exited) !== 0) throw new Error(`${words.join(" ")}: exit code ${child.exitCode}`);
  const read = readProfiles(profiles);
  rmSync(profiles, { recursive: true });
  return makeTrace(title, samples, read);
}

/** Of the main thread, then of the workers in the order in which they began. */
function readProfiles(directory: string): CpuProfile[] {
  // CPU.DATE.TIME.PROCESS.THREAD.SEQUENCE.cpuprofile
  const threadOf = (name: string) => Number(name.split(".")[4]);
  return readdirSync(directory)
    .toSorted((a, b) => threadOf(a) - threadOf(b))
    .map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")));
}

function makeTrace(title: string, samples: readonly ThreadSample[], profiles: readonly CpuProfile[]): Trace {
  const originUs = samples[0]?.atUs ?? 0;
  const lengthMs = ((samples.at(-1)?.atUs ?? 0) - originUs) / 1000;
  const sliceMs = Math.max(2 * SAMPLE_MS, lengthMs / SLICES);
  const ids = (name: string) => {
    const all = samples.flatMap(({ threads }) => threads.filter((thread) => thread.name === name));
    return [...new Set(all.map(({ threadId }) => threadId))].sort((a, b) => a - b);
  };
  const lane = (name: string, threadIds: readonly number[], threads: number, profile?: CpuProfile): Lane => ({
    name,
    use: useOf(samples, new Set(threadIds), originUs, sliceMs),
    threads,
    ...(profile && { activities: slicesOf(profile, originUs, sliceMs) }),
  });
  const [main, ...workers] = profiles;
  const workerIds = ids("WorkerThread");
  return {
    title: `${title}: ${(lengthMs / 1000).toFixed(2)} s, with the profiler`,
    sliceMs,
    lanes: [
      lane("main thread", ids("MainThread"), 1, main),
      ...workers.map((profile, index) => lane(`worker ${index + 1}`, workerIds.slice(index, index + 1), 1, profile)),
      lane("libuv's pool", ids("libuv-worker"), 2),
      lane("V8's own threads", ids("V8Worker"), 2),
    ],
  };
}

/** Seconds of each activity in each thread. */
function traceText({ title, lanes, sliceMs }: Trace): string {
  const rows = lanes.map(({ name, activities, use }) => {
    const total = (amount: (slice: Slice) => number) =>
      (activities?.reduce((sum, slice) => sum + amount(slice ?? {}), 0) ?? 0) / 1000;
    const ran = (use.reduce((sum, { running }) => sum + running, 0) * sliceMs) / 1000;
    const cells = ACTIVITIES.map((activity) => total((slice) => slice[activity] ?? 0).toFixed(2));
    return `| ${[name, ran.toFixed(2), ...(activities === undefined ? cells.map(() => "") : cells)].join(" | ")} |`;
  });
  const heads = ["thread", "on a processor", ...ACTIVITIES];
  return [`${title}`, "", `| ${heads.join(" | ")} |`, `|---${"|--:".repeat(heads.length - 1)}|`, ...rows, ""].join(
    "\n",
  );
}
