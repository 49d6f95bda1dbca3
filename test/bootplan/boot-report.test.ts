import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BOOT_SLOT_BYTES,
  type BootReport,
  bootSlotName,
  countedEntry,
  EMPTY_BOOT_SLOT,
  formatBootReport,
  parseBootReport,
} from "../../src/bootplan/index.ts";

const REPORT: BootReport = {
  stage: "system-failed",
  bootId: "0123456789abcdef".repeat(2),
  entry: "bootc_os-2-1.conf",
  deploymentId: "ab".repeat(64),
  tries: 3,
  failure: { message: 'Grüße "x"', expected: "a", actual: "b" },
};

test("a report fills its slot exactly, in ASCII, and is read back", () => {
  for (const report of [REPORT, { ...REPORT, deploymentId: undefined }]) {
    const text = formatBootReport(report);
    assert.equal(Buffer.byteLength(text), BOOT_SLOT_BYTES);
    assert.match(text, /^[\n -~]*$/);
    assert.deepEqual(parseBootReport(text), report);
  }
});

test("what is too long is cut, and stays a report", () => {
  for (const character of ["x", "ü", "\u{1f600}", '"', "\0"]) {
    const long = character.repeat(100_000);
    const text = formatBootReport({ ...REPORT, entry: long, failure: { message: long, expected: long, actual: long } });
    assert.equal(text.length, BOOT_SLOT_BYTES);
    assert.equal(parseBootReport(text)?.stage, "system-failed");
  }
});

test("what anybody may have written is a report or nothing, and is printable", () => {
  const json = (changes: object) => JSON.stringify({ ...REPORT, ...changes });
  const nothing = [
    "",
    EMPTY_BOOT_SLOT,
    "\0".repeat(4096),
    "{",
    "null",
    "[]",
    "7",
    json({ stage: "won" }),
    json({ bootId: "x" }),
    json({ tries: -1 }),
    json({ tries: 1.5 }),
    json({ tries: "1" }),
    json({ entry: 1 }),
    json({ failure: { message: "x".repeat(5000) } }),
  ];
  for (const text of nothing) assert.equal(parseBootReport(text), undefined, text.slice(0, 40));
  const odd = parseBootReport(
    json({ entry: "a\u001b[2Jb", deploymentId: "../..", failure: { message: "c\nd\u202ee", expected: 1 } }),
  );
  assert.deepEqual(odd, { ...REPORT, entry: "a [2Jb", deploymentId: undefined, failure: { message: "c d e" } });
  assert.equal(parseBootReport(json({ failure: "x" }))?.failure, undefined);
});

test("each try has its slot", () => {
  assert.deepEqual([0, 1, 3, 8, 9, 1000].map(bootSlotName), ["1", "1", "3", "8", "8", "8"]);
  const cases = [
    ["\\loader\\entries\\bootc_os-1+2-1.conf", "bootc_os-1.conf", 1],
    ["/EFI/Linux/os+0-3.efi", "os.efi", 3],
    ["os+3.conf", "os.conf", 0],
  ] as const;
  for (const [path, entry, tries] of cases) assert.deepEqual(countedEntry(path), { entry, tries });
  assert.equal(countedEntry("\\loader\\entries\\os.conf"), undefined);
});
