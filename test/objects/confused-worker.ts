/** A worker that takes every job for another one. */
import { parentPort } from "node:worker_threads";

parentPort?.on("message", ({ id }: { id: number }) => {
  parentPort?.postMessage({ id, job: "abort-draft", output: undefined });
});
