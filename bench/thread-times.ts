/** What the threads of a running process cost the processors, from /proc: how long each ran, and how long it stood in line. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A thread's times since it began, in milliseconds (kernel documentation, sched-stats: schedstat of a task). */
export interface ThreadTimes {
  readonly threadId: number;
  /** As its program named it, such as "WorkerThread" or "libuv-worker". */
  readonly name: string;
  readonly ranMs: number;
  /** Could have run, but no processor was free. */
  readonly queuedMs: number;
}

export interface ThreadSample {
  /** CLOCK_MONOTONIC, microseconds. */
  readonly atUs: number;
  readonly threads: readonly ThreadTimes[];
}

/** Looks at all threads again and again until `ended`, which is settled when the process has ended. */
export async function sampleThreads(
  processId: number,
  intervalMs: number,
  ended: Promise<unknown>,
): Promise<ThreadSample[]> {
  const samples: ThreadSample[] = [];
  let running = true;
  const stop = () => {
    running = false;
  };
  ended.then(stop, stop);
  while (running) {
    samples.push({ atUs: Number(process.hrtime.bigint() / 1000n), threads: readThreads(processId) });
    await sleep(intervalMs);
  }
  return samples;
}

function readThreads(processId: number): ThreadTimes[] {
  const tasks = `/proc/${processId}/task`;
  try {
    return readdirSync(tasks).flatMap((name) => {
      // Threads end while they are looked at.
      try {
        const [ran = 0, queued = 0] = readFileSync(`${tasks}/${name}/schedstat`, "latin1").split(" ").map(Number);
        const title = readFileSync(`${tasks}/${name}/comm`, "latin1").trim();
        return [{ threadId: Number(name), name: title, ranMs: ran / 1e6, queuedMs: queued / 1e6 }];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

export interface Use {
  /** Threads that ran, on average over the slice: at most the number of processors. */
  readonly running: number;
  readonly queued: number;
}

/** What the threads of these ids used, in slices of `sliceMs` from `originUs`. */
export function useOf(
  samples: readonly ThreadSample[],
  threadIds: ReadonlySet<number>,
  originUs: number,
  sliceMs: number,
): Use[] {
  const slices: { running: number; queued: number }[] = [];
  for (const [index, sample] of samples.entries()) {
    const before = samples[index - 1];
    const slice = Math.floor((sample.atUs - originUs) / 1000 / sliceMs);
    if (before === undefined || slice < 0) continue;
    const lengthMs = (sample.atUs - before.atUs) / 1000;
    const known = new Map(before.threads.map((thread) => [thread.threadId, thread]));
    for (const thread of sample.threads.filter(({ threadId }) => threadIds.has(threadId))) {
      const { ranMs, queuedMs } = known.get(thread.threadId) ?? { ranMs: 0, queuedMs: 0 };
      const use = slices[slice] ?? { running: 0, queued: 0 };
      // Samples are nearly as long as slices: each counts for the one in which it ends, in proportion.
      use.running += ((thread.ranMs - ranMs) / lengthMs) * Math.min(1, lengthMs / sliceMs);
      use.queued += ((thread.queuedMs - queuedMs) / lengthMs) * Math.min(1, lengthMs / sliceMs);
      slices[slice] = use;
    }
  }
  return Array.from(slices, (use) => use ?? { running: 0, queued: 0 });
}
