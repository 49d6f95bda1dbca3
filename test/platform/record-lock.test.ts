import assert from "node:assert/strict";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryDirectory, tryLock, tryRecordLock, waitForRecordLock } from "../../src/platform/index.ts";
import { callLibc } from "../../src/platform/libc.ts";

/** F_SETLK and its types (asm-generic/fcntl.h), as Go's and C's programs call it. */
function processLock(fd: number, type: "read" | "write" | "none"): void {
  const lock = Buffer.alloc(32);
  lock.writeInt16LE({ read: 0, write: 1, none: 2 }[type], 0);
  callLibc("fcntl", undefined, fd, 6, "void *", lock);
}

test("shared record locks go together, an exclusive one stands alone", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "lock");
  writeFileSync(path, "");
  const [one, two, writing] = [openSync(path, "r"), openSync(path, "r"), openSync(path, "r+")];
  assert.equal(tryRecordLock(one, "shared"), true);
  assert.equal(tryRecordLock(two, "shared"), true);
  assert.equal(tryRecordLock(writing, "exclusive"), false);
  closeSync(one);
  assert.equal(tryRecordLock(writing, "exclusive"), false, "the other one's lock outlives it");
  closeSync(two);
  assert.equal(tryRecordLock(writing, "exclusive"), true);
  closeSync(writing);
});

test("record locks stand in the way of the older kind, which belongs to the process, and not of flock's", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "lock");
  writeFileSync(path, "");
  const [ours, theirs] = [openSync(path, "r"), openSync(path, "r+")];
  processLock(theirs, "read");
  assert.equal(tryRecordLock(ours, "shared"), true);
  assert.throws(() => processLock(theirs, "write"), { code: "EAGAIN", syscall: "fcntl" });
  assert.equal(tryLock(theirs, "exclusive"), true);
  closeSync(ours);
  processLock(theirs, "write");
  const again = openSync(path, "r");
  assert.equal(tryRecordLock(again, "shared"), false);
  processLock(theirs, "none");
  assert.equal(tryRecordLock(again, "shared"), true);
  closeSync(again);
  closeSync(theirs);
});

test("a record lock is waited for", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "lock");
  writeFileSync(path, "");
  const [holder, waiter] = [openSync(path, "r+"), openSync(path, "r")];
  assert.equal(tryRecordLock(holder, "exclusive"), true);
  assert.equal(await waitForRecordLock(waiter, "shared", 20), false);
  const waiting = waitForRecordLock(waiter, "shared", 60_000);
  await sleep(20);
  closeSync(holder);
  assert.equal(await waiting, true);
  closeSync(waiter);
});

test("a shared record lock needs a file that can be read", () => {
  using directory = temporaryDirectory();
  const fd = openSync(join(directory.path, "lock"), "w");
  assert.throws(() => tryRecordLock(fd, "shared"), { code: "EBADF" });
  closeSync(fd);
});
