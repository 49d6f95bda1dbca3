import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assessedName,
  assessmentOf,
  compareForSystemdBoot,
  countedName,
  formatCountedName,
  parseBootEntry,
  parseCountedName,
} from "../../src/bls/index.ts";

test("a counter is read and written as the boot loader does, in any place where it is one", () => {
  const cases: [name: string, base: string, left?: number, done?: number][] = [
    ["os-1.conf", "os-1.conf"],
    ["os-1+3.conf", "os-1.conf", 3, 0],
    ["os-1+2-1.conf", "os-1.conf", 2, 1],
    ["os-1+0-3.efi", "os-1.efi", 0, 3],
    ["\\loader\\entries\\a+b+1-2.conf", "\\loader\\entries\\a+b.conf", 1, 2],
    ["OS+3.CONF", "OS.CONF", 3, 0],
    ["+3.conf", "+3.conf"],
    ["os+3", "os+3"],
    ["os+.conf", "os+.conf"],
    ["os+3-.conf", "os+3-.conf"],
    ["os+-1.conf", "os+-1.conf"],
    ["os+1234567890.conf", "os+1234567890.conf"],
    ["", ""],
  ];
  for (const [name, base, left, done = 0] of cases) {
    const count = left === undefined ? undefined : { left, done };
    assert.deepEqual(parseCountedName(name), { base, count }, name);
    assert.equal(formatCountedName(base, count), name);
  }
});

test("a new entry has three tries, whatever counter it had", () => {
  assert.equal(countedName("bootc_os-2-1.conf"), "bootc_os-2-1+3.conf");
  assert.equal(countedName("bootc_os-2-1+0-3.conf"), "bootc_os-2-1+3.conf");
});

test("assessments are those of systemd-bless-boot", () => {
  const cases = [
    ["os.conf", "good", "os.conf", "os+0.conf"],
    ["os+3.conf", "indeterminate", "os.conf", "os+0.conf"],
    ["os+1-2.conf", "indeterminate", "os.conf", "os+0-2.conf"],
    ["os+0-3.conf", "bad", "os.conf", "os+0-3.conf"],
    ["os+0.conf", "bad", "os.conf", "os+0.conf"],
  ] as const;
  for (const [name, assessment, good, bad] of cases) {
    assert.equal(assessmentOf(name), assessment, name);
    assert.equal(assessedName(name, "good"), good);
    assert.equal(assessedName(name, "bad"), bad);
    assert.equal(assessedName(name, "indeterminate"), name);
  }
});

test("the menu has exhausted entries last, and of two names of one entry the one with more tries first", () => {
  const entry = (fileName: string, sortKey: string) => ({
    fileName,
    entry: parseBootEntry(`version 1\nlinux /k\nsort-key ${sortKey}\n`),
  });
  const entries = [
    entry("new+0-3.conf", "os-0"),
    entry("same+1-2.conf", "os-2"),
    entry("same+2-1.conf", "os-2"),
    entry("same+2.conf", "os-2"),
    entry("old.conf", "os-1"),
  ];
  assert.deepEqual(
    entries.sort(compareForSystemdBoot).map(({ fileName }) => fileName),
    ["old.conf", "same+2.conf", "same+2-1.conf", "same+1-2.conf", "new+0-3.conf"],
  );
});
