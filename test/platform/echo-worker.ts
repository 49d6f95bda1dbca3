/** The worker side of worker-pool.test.ts. */
import { threadId } from "node:worker_threads";
import { corrupt } from "../../src/errors/index.ts";
import { serveJobs } from "../../src/platform/index.ts";

const echoJobs = {
  thread: () => threadId,
  length: (bytes: Uint8Array) => bytes.length,
  corrupt: () => {
    throw corrupt("Cannot read echo: spoiled", { offset: 7 });
  },
  system: () => {
    throw Object.assign(new Error("ENOSPC: write"), { code: "ENOSPC" });
  },
  die: () => process.exit(9),
};

export type EchoJobs = typeof echoJobs;

serveJobs(echoJobs);
