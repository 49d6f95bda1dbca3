/** A worker that does not keep to the protocol of worker-jobs.ts. */
import { parentPort } from "node:worker_threads";

export type LyingJobs = Readonly<
  Record<"truth" | "other job" | "nothing" | "other request", (input: number) => number>
>;

parentPort?.on("message", ({ id, job, input }: { id: number; job: keyof LyingJobs; input: number }) => {
  if (job === "truth") parentPort?.postMessage({ id, job, output: input });
  else if (job === "other job") parentPort?.postMessage({ id, job: "truth", output: input });
  else if (job === "nothing") parentPort?.postMessage({ id, job });
  else parentPort?.postMessage({ id: -1, job, output: input });
});
