/** The worker side of worker-pool.test.ts. */
import { threadId } from "node:worker_threads";
import { corrupt } from "../../src/errors/index.ts";
import { serveRequests } from "../../src/platform/index.ts";

export type EchoRequest = "thread" | "corrupt" | "system" | "die" | Uint8Array;

serveRequests((request: EchoRequest): number => {
  if (request instanceof Uint8Array) return request.length;
  if (request === "corrupt") throw corrupt("Cannot read echo: spoiled", { offset: 7 });
  if (request === "system") throw Object.assign(new Error("ENOSPC: write"), { code: "ENOSPC" });
  if (request === "die") process.exit(9);
  return threadId;
});
