import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SealrootError } from "../../src/errors/index.ts";
import { startTool, WorkerPool } from "../../src/platform/index.ts";
import type { EchoJobs } from "./echo-worker.ts";
import type { LyingJobs } from "./lying-worker.ts";

/** Gone, or a zombie that nobody has collected yet, within a second. */
async function hasEnded(pid: number): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      if (readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.startsWith("Z") === true) return true;
    } catch {
      return true;
    }
    await sleep(20);
  }
  return false;
}

const ECHO = new URL("./echo-worker.ts", import.meta.url);
const LYING = new URL("./lying-worker.ts", import.meta.url);

function spoiled(): never {
  throw new Error("spoiled here");
}

/** The worker's jobs in this thread, where they fail. */
const HERE: EchoJobs = { thread: spoiled, length: spoiled, corrupt: spoiled, system: spoiled, die: spoiled };

test("requests are spread over workers and a channel stays with one", async () => {
  const pool = new WorkerPool<EchoJobs>(ECHO, { size: 2 });
  const threads = await Promise.all(Array.from({ length: 20 }, () => pool.run("thread", undefined)));
  assert.equal(new Set(threads).size, 2);
  const channel = pool.channel();
  const bound = await Promise.all(Array.from({ length: 10 }, () => channel.run("thread", undefined)));
  assert.equal(new Set(bound).size, 1);
  channel.release();
  await pool.close();
});

test("requests that wait for a worker can be answered by the caller, and are rejected when the pool ends", async () => {
  const pool = new WorkerPool<EchoJobs>(ECHO, { size: 1 });
  const answers = [1, 2, 3, 4].map(() => pool.run("thread", undefined));
  assert.equal(pool.answerWaiting({ ...HERE, thread: () => -1 }), true);
  assert.equal(await answers[2], -1);
  const last = assert.rejects(answers[3] ?? Promise.resolve(0), { message: "spoiled here" });
  assert.equal(pool.answerWaiting(HERE), true);
  await last;
  assert.equal(pool.answerWaiting(HERE), false);
  assert.equal((await Promise.all(answers.slice(0, 2))).length, 2);
  const left = [1, 2, 3].map(() => pool.run("thread", undefined));
  const closed = pool.close();
  const [, , waiting] = await Promise.allSettled(left);
  assert.equal(waiting?.status === "rejected" && String(waiting.reason), "Error: the worker threads were ended");
  await closed;
});

test("array buffers move to the worker", async () => {
  const pool = new WorkerPool<EchoJobs>(ECHO, { size: 1 });
  const bytes = new Uint8Array(1000);
  const answer = pool.run("length", bytes, [bytes.buffer]);
  assert.equal(bytes.length, 0);
  assert.equal(await answer, 1000);
  await pool.close();
});

test("errors keep their class, code and data", async () => {
  const pool = new WorkerPool<EchoJobs>(ECHO, { size: 1 });
  await assert.rejects(pool.run("corrupt", undefined), (error) => {
    assert.ok(error instanceof SealrootError);
    assert.deepEqual(error.toJSON(), { code: "corrupt", message: "Cannot read echo: spoiled", offset: 7 });
    return true;
  });
  await assert.rejects(pool.run("system", undefined), { code: "ENOSPC", message: "ENOSPC: write" });
  await pool.close();
});

test("a worker that dies rejects its requests and is replaced", async () => {
  const pool = new WorkerPool<EchoJobs>(ECHO, { size: 1 });
  await assert.rejects(pool.run("die", undefined), { message: "worker thread ended with code 9" });
  assert.ok((await pool.run("thread", undefined)) > 0);
  await pool.close();
});

test("an answer to another job, or to none, is an error", async () => {
  const pool = new WorkerPool<LyingJobs>(LYING, { size: 1 });
  await assert.rejects(pool.run("other job", 1), {
    message: "Cannot use a worker's answer: it is to truth, not to other job",
  });
  await assert.rejects(pool.run("nothing", 1), {
    message: "Cannot use a worker's answer: nothing has neither an output nor an error",
  });
  assert.equal(await pool.run("truth", 5), 5);
  const answers = await Promise.allSettled([pool.run("other request", 1), pool.run("truth", 6)]);
  const message = "Error: Cannot use a worker's answer: it is to no request, but to -1";
  assert.deepEqual(
    answers.map((answer) => answer.status === "rejected" && String(answer.reason)),
    [message, message],
  );
  assert.equal(await pool.run("truth", 7), 7);
  await pool.close();
});

test("a job that the worker does not have is an error", async () => {
  const pool = new WorkerPool<LyingJobs>(ECHO, { size: 1 });
  await assert.rejects(pool.run("truth", 1), {
    message: "Cannot do the job truth: the worker has none of that name",
  });
  await pool.close();
});

test("temporary files and children are gone after SIGTERM, and the process dies of the signal", async () => {
  const parent = mkdtempSync(join(tmpdir(), "sealroot-test-"));
  const platform = new URL("../../src/platform/index.ts", import.meta.url).href;
  const script = `
    import { temporaryDirectory, startTool } from ${JSON.stringify(platform)};
    temporaryDirectory({ parent: ${JSON.stringify(parent)} });
    const child = await startTool("sleep", ["600"]);
    console.log(child.pid);
  `;
  const program = await startTool(process.execPath, ["--input-type=module", "-e", script]);
  const line = await new Promise<string>((resolve) => program.stdout?.once("data", (data) => resolve(String(data))));
  assert.equal(readdirSync(parent).length, 1);
  program.kill("SIGTERM");
  assert.equal((await program.exited).signal, "SIGTERM");
  assert.deepEqual(readdirSync(parent), []);
  assert.ok(await hasEnded(Number(line)));
  rmSync(parent, { recursive: true });
});
