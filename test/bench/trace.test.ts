import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { sampleThreads, type ThreadSample, useOf } from "../../bench/thread-times.ts";
import { tracePlot } from "../../bench/trace-plot.ts";
import { type CpuProfile, slicesOf } from "../../bench/trace-profile.ts";

function node(id: number, functionName: string, url = ""): CpuProfile["nodes"][number] {
  return { id, callFrame: { functionName, url } };
}

test("slicesOf() divides samples by what their innermost function does, across the edges of slices", () => {
  const profile: CpuProfile = {
    nodes: [
      node(1, "(idle)"),
      node(2, "hash", "node:internal/crypto/hash"),
      node(3, "writeBuffer"),
      node(4, "push", "file:///checkout/src/tar/parser.ts"),
      node(5, "(garbage collector)"),
    ],
    startTime: 1_000_000,
    // From 4 ms after the origin: hash 4–12, write 12–14, ours 14–15, garbage 15–18, idle 18–20; the last has no end.
    samples: [2, 3, 4, 5, 1, 1],
    timeDeltas: [1000, 8000, 2000, 1000, 3000, 2000],
  };
  assert.deepEqual(slicesOf(profile, 997_000, 10), [
    { hashes: 6 },
    {
      hashes: 2,
      "reads and writes files": 2,
      "runs our code": 1,
      "collects garbage": 3,
      "asleep: waits for messages, files or time": 2,
    },
  ]);
});

test("useOf() counts the threads that were asked for, new ones from their beginning", () => {
  const thread = (threadId: number, ranMs: number, queuedMs: number) => ({ threadId, name: "x", ranMs, queuedMs });
  const samples: ThreadSample[] = [
    { atUs: 0, threads: [thread(1, 100, 5), thread(9, 1, 1)] },
    { atUs: 10_000, threads: [thread(1, 110, 5), thread(9, 11, 1)] },
    { atUs: 20_000, threads: [thread(1, 110, 10), thread(2, 4, 0)] },
  ];
  assert.deepEqual(useOf(samples, new Set([1, 2]), 0, 10), [
    { running: 0, queued: 0 },
    { running: 1, queued: 0 },
    { running: 0.4, queued: 0.5 },
  ]);
});

test("sampleThreads() sees a process that computes until it ends", async () => {
  const program = "const end = performance.now() + 300; while (performance.now() < end);";
  const child = spawn(process.execPath, ["--eval", program]);
  const samples = await sampleThreads(child.pid ?? 0, 5, once(child, "exit"));
  const threads = samples.flatMap(({ threads }) => threads.filter(({ threadId }) => threadId === child.pid));
  const last = threads.at(-1);
  assert.ok(last !== undefined && last.ranMs + last.queuedMs > 250, JSON.stringify(last));
});

test("tracePlot() draws what a thread did from the bottom up, in the lane's colours", () => {
  const svg = tracePlot("Who waits", [
    {
      title: "pull",
      sliceMs: 10,
      lanes: [
        { name: "main", activities: [{ hashes: 5, inflates: 5 }], use: [{ running: 1, queued: 0 }], threads: 1 },
        { name: "pool", use: [{ running: 1, queued: 0 }], threads: 2 },
      ],
    },
  ]);
  const heights = (colour: string) =>
    [...svg.matchAll(new RegExp(`height="([\\d.]+)" fill="${colour}"`, "g"))].map(([, height]) => Number(height));
  // The legend's, then half of a lane of 74 each.
  assert.deepEqual(heights("#2c5d9b"), [10, 37]);
  assert.deepEqual(heights("#e08e0b"), [10, 37]);
  assert.deepEqual(heights("#9fb7d1"), [37]);
  assert.match(svg, />ran 0\.01 s, queued 0\.00 s</);
});
