/** Images that are older than one that has run are refused. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { checkRollbackIndex, type HostPlaces, recordRollbackIndex } from "../../src/host/index.ts";

let places: HostPlaces;
beforeEach(() => {
  places = {
    physicalRoot: mkdtempSync(join(tmpdir(), "sealroot-index-")),
    bootDirectory: undefined,
    runDirectory: "/nonexistent",
    bootLoader: "systemd",
    booted: undefined,
    usrOverlay: undefined,
    isReadOnly: false,
  };
});
afterEach(() => rmSync(places.physicalRoot, { recursive: true }));

const label = (index: string) => ({ "dev.sealroot.rollback-index": index, other: "x" });
const check = (index: string | undefined, force = false) =>
  checkRollbackIndex(places, index === undefined ? undefined : label(index), { force });
const record = () => join(places.physicalRoot, "state/sealroot/rollback-index");

test("a host that has recorded nothing takes every image", () => {
  assert.deepEqual(check(undefined), { index: 0, recorded: 0 });
  assert.deepEqual(check("0"), { index: 0, recorded: 0 });
  assert.deepEqual(check("7"), { index: 7, recorded: 0 });
  assert.deepEqual(checkRollbackIndex(places, {}, { force: false }), { index: 0, recorded: 0 });
});

test("what has run well is the least that is taken from then on", () => {
  const umask = process.umask(0o077);
  try {
    assert.equal(recordRollbackIndex(places, label("3")), 3);
  } finally {
    process.umask(umask);
  }
  assert.equal(readFileSync(record(), "utf8"), "3\n");
  assert.equal(statSync(record()).mode & 0o777, 0o644);
  assert.deepEqual(check("3"), { index: 3, recorded: 3 });
  assert.deepEqual(check("10"), { index: 10, recorded: 3 });
  for (const older of ["2", "0", undefined]) {
    const index = older ?? "0";
    assert.throws(() => check(older), {
      code: "untrusted",
      message: `Cannot take the image: its rollback index is ${index}, and this host has run an image with 3`,
    });
    assert.deepEqual(check(older, true), { index: Number(index), recorded: 3 });
  }
});

test("a record is never lowered", () => {
  recordRollbackIndex(places, label("5"));
  assert.equal(recordRollbackIndex(places, label("4")), 5);
  assert.equal(recordRollbackIndex(places, undefined), 5);
  assert.equal(readFileSync(record(), "utf8"), "5\n");
  assert.equal(recordRollbackIndex(places, label("999999999999999")), 999_999_999_999_999);
});

test("labels and records that are not numbers are refused", () => {
  for (const wrong of ["", "-1", "1.5", "01", "1e3", " 1", "1\n", "0x10", "9".repeat(16), "٣"]) {
    const error = { code: "corrupt", message: /^Cannot read the image's label dev\.sealroot\.rollback-index: / };
    assert.throws(() => check(wrong), error, wrong);
    assert.throws(() => check(wrong, true), error, wrong);
    assert.throws(() => recordRollbackIndex(places, label(wrong)), error, wrong);
  }
  mkdirSync(join(places.physicalRoot, "state/sealroot"), { recursive: true });
  for (const wrong of ["", "3", "x\n", "-1\n", "3\n4\n"]) {
    writeFileSync(record(), wrong);
    assert.throws(() => check("100"), { code: "corrupt", message: /^Cannot read the recorded rollback index/ }, wrong);
    assert.throws(() => recordRollbackIndex(places, label("100")), { code: "corrupt" }, wrong);
    assert.deepEqual(check("1", true), { index: 1, recorded: 0 });
  }
});
