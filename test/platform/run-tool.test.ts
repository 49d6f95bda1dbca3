import assert from "node:assert/strict";
import { test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { findTool, runTool, startTool } from "../../src/platform/index.ts";

test("a program's output and exit code are returned", async () => {
  const result = await runTool("sh", ["-c", "cat; echo to-stderr >&2"], { input: "from stdin" });
  assert.equal(result.exitCode, 0);
  assert.equal(result.stdout.toString(), "from stdin");
  assert.equal(result.stderr, "to-stderr\n");
});

test("input may be an async iterable of chunks", async () => {
  async function* chunks() {
    yield Buffer.from("one ");
    yield Buffer.from("two");
  }
  assert.equal((await runTool("cat", [], { input: chunks() })).stdout.toString(), "one two");
});

test("a missing program is named together with its Debian package", async () => {
  const path = process.env.PATH;
  await assert.rejects(runTool("swtpm-that-is-not-there", []), (error) => {
    assert.ok(error instanceof SealrootError);
    assert.equal(error.code, "missing-tool");
    assert.equal(error.message, "Cannot run swtpm-that-is-not-there: the program is not installed");
    return true;
  });
  assert.equal(process.env.PATH, path);
  if (findTool("mkfs.btrfs") === undefined) {
    await assert.rejects(runTool("mkfs.btrfs", []), {
      message: "Cannot run mkfs.btrfs: the program is not installed, install the Debian package btrfs-progs",
    });
  }
});

test("a failing program is an error with its last lines", async () => {
  await assert.rejects(runTool("sh", ["-c", "echo first >&2; echo last >&2; exit 3"]), {
    code: "failed",
    message: "Cannot run sh: exit code 3: first | last",
  });
});

test("other exit codes can count as success", async () => {
  assert.equal((await runTool("sh", ["-c", "exit 3"], { successCodes: [0, 3] })).exitCode, 3);
});

test("a program that takes too long is ended and reported", async () => {
  await assert.rejects(runTool("sleep", ["60"], { timeoutMs: 50 }), {
    code: "timeout",
    message: "Cannot wait for sleep: not done after 50 ms",
  });
});

test("a program that does not read its input is not an error", async () => {
  assert.equal((await runTool("true", [], { input: new Uint8Array(1 << 20) })).exitCode, 0);
});

test("output beyond the limit ends the program", async () => {
  await assert.rejects(runTool("sh", ["-c", "yes"], { outputLimitBytes: 1000 }), {
    message: "Cannot run sh: its output is larger than the limit",
  });
});

test("programs in /usr/sbin are found without being in PATH", () => {
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  try {
    assert.ok(findTool("sh"));
  } finally {
    process.env.PATH = path;
  }
});

test("a started program can be spoken to and killed", async () => {
  const tool = await startTool("cat", []);
  tool.stdin?.write("hello");
  const [chunk] = (await tool.stdout?.take(1).toArray()) ?? [];
  assert.equal(String(chunk), "hello");
  tool.kill("SIGKILL");
  assert.deepEqual(await tool.exited, { exitCode: undefined, signal: "SIGKILL" });
});
