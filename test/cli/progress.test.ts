import assert from "node:assert/strict";
import { test } from "node:test";
import { progressView } from "../../src/cli/progress.ts";
import { parseSize } from "../../src/cli/size.ts";
import { formatBytes, formatDuration, textTable } from "../../src/cli/table.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { runStep } from "../../src/events/index.ts";

function target(isTTY: boolean) {
  const written: string[] = [];
  return { written, isTTY, columns: 60, write: (text: string) => written.push(text) };
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
    ["4G", "512MiB", "1.5k", "17"].map((text) => parseSize(text, "--size")),
    [4 * 1024 ** 3, 512 * 1024 ** 2, 1536, 17],
  );
  for (const bad of ["", "G", "-1", "4X", "1e3", "99999999T"]) {
    assert.throws(
      () => parseSize(bad, "--size"),
      (error: SealrootError) => error.code === "usage",
      bad,
    );
  }
  assert.deepEqual([0, 999, 1500, 2_500_000].map(formatBytes), ["0 B", "999 B", "1.5 kB", "2.5 MB"]);
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
