import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSize } from "../../src/bytes/index.ts";
import { progressView } from "../../src/cli/progress.ts";
import { parseProgressFd, progressLines } from "../../src/cli/progress-fd.ts";
import { ProgressRate } from "../../src/cli/progress-rate.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { runStep } from "../../src/events/index.ts";
import { parseSize } from "../../src/verbs/shared/size.ts";
import { formatDuration, textTable } from "../../src/verbs/shared/table.ts";

function target(isTTY: boolean, columns = 60) {
  const written: string[] = [];
  return { written, isTTY, columns, write: (text: string) => written.push(text) };
}

test("plain progress leaves one line a step and no cursor movement", async () => {
  const log = target(false);
  const view = progressView("auto", log);
  await runStep(view.sink, "hash objects", (step) => {
    step.progress(5, 10, "items");
    step.warn("odd name");
  });
  await assert.rejects(async () => runStep(view.sink, "write", () => Promise.reject(new Error("disk on fire"))));
  view.close();
  assert.equal(log.written.length, 2);
  assert.equal(log.written[0], "warning: odd name\n");
  assert.match(log.written[1] ?? "", /^ {2}hash objects {2}\d+\.\d s\n$/);
});

test("JSON progress is one event a line", async () => {
  const log = target(false);
  const view = progressView("json", log);
  await runStep(view.sink, "a", (step) => step.progress(1, undefined, "bytes"));
  const events = log.written.map((line) => JSON.parse(line).type);
  assert.deepEqual(events, ["step-started", "progress", "step-finished"]);
});

test("the bar redraws its line and clears it at the end", async () => {
  const log = target(true);
  const view = progressView("auto", log);
  await runStep(view.sink, "copy", (step) => step.progress(50, 100, "bytes"));
  view.close();
  const text = log.written.join("");
  assert.ok(text.includes("\r\x1b[K  copy"), JSON.stringify(text));
  assert.ok(text.endsWith("s\n"), JSON.stringify(text));
});

test("sizes are powers of 1024 when read and powers of ten when shown", () => {
  assert.deepEqual(
    ["4G", "512MiB", "1.5k", "17", "17B", " 1t "].map((text) => parseSize(text, "--size")),
    [4 * 1024 ** 3, 512 * 1024 ** 2, 1536, 17, 17, 1024 ** 4],
  );
  for (const bad of ["", "G", "-1", "4X", "1e3", "99999999T", "1.5", "4GB", "4kb", "4 G", "0x10", "4BiB", "١"]) {
    assert.throws(
      () => parseSize(bad, "--size"),
      (error: SealrootError) => error.code === "usage",
      bad,
    );
  }
  assert.throws(() => parseSize("512mb", "--size"), {
    message: 'Cannot read --size: "512mb" is not a size',
    data: { hint: "write 512MiB: sizes are powers of 1024" },
  });
  const sizes = [0, 1023, 1024, 10_885, 1024 ** 2 - 1, 1024 ** 2, 5 * 1024 ** 3, 2 ** 50];
  const texts = ["0 B", "1023 B", "1.00 KiB", "10.63 KiB", "1.00 MiB", "1.00 MiB", "5.00 GiB", "1024.00 TiB"];
  assert.deepEqual(sizes.map(formatSize), texts);
  assert.deepEqual([40, 99_940, 185_000].map(formatDuration), ["0.0 s", "99.9 s", "3 min 05 s"]);
  assert.deepEqual(
    textTable(
      [
        ["a", "n"],
        ["bcd", "12"],
      ],
      [1],
    ),
    ["a     n", "bcd  12"],
  );
});

/** Cursor movement in words. */
function shown(text: string | undefined): string {
  return (text ?? "").replaceAll("\r\x1b[K", "<clear>").replaceAll("\x1b[1A\x1b[K", "<up>");
}

test("a terminal shows one bar for all and a line for each part that runs, and takes them away again", () => {
  const terminal = target(true, 100);
  const view = progressView("auto", terminal);
  const part = (name: string, state: "running" | "finished", done: number) =>
    view.sink({ type: "subtask", step: "pull layers", id: name, name, state, done, total: 1000, unit: "bytes" });
  view.sink({ type: "step-started", step: "pull layers", atMs: performance.now() });
  part("layer a", "running", 500);
  part("layer b", "running", 250);
  part("layer c", "finished", 1000);
  view.sink({ type: "progress", step: "pull layers", done: 1750, total: 3000, unit: "bytes" });
  const drawn = terminal.written.length;
  view.sink({ type: "message", level: "info", text: "by the way" });
  const [cleared, line, redrawn] = terminal.written.slice(drawn);
  assert.equal(line, "  by the way\n");
  assert.match(
    shown(redrawn),
    /^<clear> {2}pull layers {2}\[#{11}-{9}\] {2}58 % of 2\.93 KiB {2}0\.\d s\n {4}layer a {2}50 % of 1000 B\n {4}layer b {2}25 % of 1000 B$/,
  );
  // However many lines were drawn before the message, they are gone before it.
  assert.match(shown(cleared), /^<clear>(<up>)*$/);
  terminal.written.length = 0;
  view.close();
  assert.deepEqual(terminal.written.map(shown), ["<clear><up><up>"]);
});

test("lines on a terminal are cut at its width, never wrapped", () => {
  const terminal = target(true);
  const view = progressView("bar", terminal);
  view.sink({ type: "step-started", step: "x".repeat(300), atMs: performance.now() });
  view.close();
  assert.equal(terminal.written[0], `\r\x1b[K  ${"x".repeat(57)}`);
});

test("speed and time left are those of the last seconds", () => {
  const rate = new ProgressRate();
  assert.equal(rate.perSecond(), undefined);
  for (let atMs = 0; atMs <= 10_000; atMs += 100) rate.add(atMs, atMs);
  assert.equal(rate.perSecond(), 1000);
  assert.equal(rate.leftMs(20_000), 10_000);
  for (let atMs = 10_100; atMs <= 20_000; atMs += 100) rate.add(10_000 + (atMs - 10_000) * 3, atMs);
  assert.equal(rate.perSecond(), 3000);
  assert.equal(rate.leftMs(0), 0);
  const standing = new ProgressRate();
  for (const atMs of [0, 1000, 2000]) standing.add(5, atMs);
  assert.deepEqual([standing.perSecond(), standing.leftMs(10)], [0, undefined]);
});

test("progress lines have bootc's shape: bytes of a pull with its layers, steps of all else", () => {
  const lines: string[] = [];
  const sink = progressLines((line) => lines.push(line));
  const id = `sha256:${"ab".repeat(32)}`;
  const step = "pull layers";
  const layer = { name: "layer", total: 10, unit: "bytes" } as const;
  sink({ type: "step-started", step, atMs: 0 });
  sink({ type: "subtask", step, id: "sha256:present", ...layer, state: "present", done: 10 });
  sink({ type: "progress", step, done: 0, total: 10, unit: "bytes" });
  for (let done = 1; done < 10; done++) {
    sink({ type: "subtask", step, id, ...layer, state: "running", done });
    sink({ type: "progress", step, done, total: 10, unit: "bytes" });
  }
  sink({ type: "progress", step, done: 10, total: 10, unit: "bytes" });
  sink({ type: "subtask", step, id, ...layer, state: "finished", done: 10 });
  sink({ type: "step-finished", step, atMs: 5, durationMs: 5 });
  sink({ type: "message", level: "warning", text: "not in this shape" });
  sink({ type: "step-started", step: "record image", atMs: 5 });
  sink({ type: "step-finished", step: "record image", atMs: 6, durationMs: 1 });
  const objects = lines.map((line) => JSON.parse(line));
  assert.ok(lines.every((line) => line.endsWith("}\n") && line.indexOf("\n") === line.length - 1));
  assert.deepEqual(objects[0], { type: "Start", version: "0.1.0" });
  // The reports in between came within a fifth of a second.
  assert.ok(objects.length <= 7, String(objects.length));
  assert.deepEqual(objects.at(-2), {
    type: "ProgressBytes",
    task: "pulling",
    description: "Pulling composefs image",
    id: "composefs-pull",
    bytesCached: 10,
    bytes: 10,
    bytesTotal: 10,
    stepsCached: 1,
    steps: 1,
    stepsTotal: 0,
    subtasks: [
      {
        subtask: "composefs_layer",
        description: "Layer: sha256:present",
        id: "sha256:present",
        bytesCached: 10,
        bytes: 0,
        bytesTotal: 10,
      },
      {
        subtask: "composefs_layer",
        description: "Layer: sha256:ababababababa",
        id,
        bytesCached: 0,
        bytes: 10,
        bytesTotal: 10,
      },
    ],
  });
  assert.deepEqual(objects.at(-1), {
    type: "ProgressSteps",
    task: "record-image",
    description: "record image",
    id: "record image",
    stepsCached: 0,
    steps: 1,
    stepsTotal: 1,
    subtasks: [],
  });
});

test("--progress-fd takes no standard stream", () => {
  assert.equal(parseProgressFd("3"), 3);
  for (const bad of ["0", "2", "-1", "x", "", "3.5"]) {
    assert.throws(() => parseProgressFd(bad), { code: "usage" }, bad);
  }
});

test("untrusted text stays on its line, in tables and in messages", async () => {
  assert.deepEqual(
    textTable([
      ["NAME", "REFS"],
      ["a\u001b[2J\nb", "1"],
    ]),
    ["NAME           REFS", "a\\u001b[2J\\nb  1"],
  );
  for (const mode of ["plain", "none"] as const) {
    const log = target(false);
    const view = progressView(mode, log);
    view.sink({ type: "message", level: "warning", text: "registry says: \u001b]0;x\u0007\nok" });
    view.close();
    assert.deepEqual(log.written, ["warning: registry says: \\u001b]0;x\\u0007\\nok\n"]);
  }
});
