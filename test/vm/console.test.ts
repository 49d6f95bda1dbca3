import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleLog } from "../../src/vm/console.ts";

const text = (parts: readonly string[]) => {
  const log = new ConsoleLog();
  for (const part of parts) log.append(Buffer.from(part));
  return log.text;
};

test("the console drops control sequences and carriage returns, a moved cursor begins a line", () => {
  assert.equal(
    text(["\u001b[2J\u001b[01;01H\u001b[=3hBdsDxe: failed\r\n\u001b[0;1;31mFAILED\u001b[0m\r\n"]),
    "\nBdsDxe: failed\nFAILED\n",
  );
});

test("a control sequence or character cut anywhere is put together", () => {
  const whole = Buffer.from("a\u001b[0;1;31mé\u001b(Bz");
  for (let cut = 0; cut <= whole.length; cut++) {
    const log = new ConsoleLog();
    log.append(whole.subarray(0, cut));
    log.append(whole.subarray(cut));
    assert.equal(log.text, "aéz", `cut at ${cut}`);
  }
});

test("the console keeps its last MiB and counts what went before", () => {
  const log = new ConsoleLog();
  const line = `${"x".repeat(1023)}\n`;
  for (let i = 0; i < 1100; i++) log.append(Buffer.from(line));
  const position = log.position;
  log.append(Buffer.from("the end\n"));
  assert.equal(position, 1100 * 1024);
  assert.equal(log.text.length, 1024 * 1024);
  assert.equal(log.textFrom(position), "the end\n");
  assert.deepEqual(log.lastLines(1), ["the end"]);
});
