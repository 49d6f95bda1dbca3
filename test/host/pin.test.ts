/** Pinning: one key of the origin file, and nothing else of it. */

import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { readHost, setPinned, statusDocument, statusText } from "../../src/host/index.ts";
import { FixtureHost } from "./fixture-host.ts";

test("a deployment is pinned and unpinned, and every other byte of its record stays", async () => {
  using host = await FixtureHost.make();
  const older = await host.add({ rank: "secondary" });
  const booted = await host.add({ files: [{ path: "usr/bin/new", content: "n".repeat(200) }] });
  const places = host.places(booted);
  const path = host.originFile(older);
  const text = Buffer.concat([
    readFileSync(path),
    Buffer.from("\n# by hand: \xff\n[other]\n  key=value\r\n", "latin1"),
  ]);
  writeFileSync(path, text);
  const umask = process.umask(0o077);
  try {
    assert.deepEqual(setPinned(places, older, true), { deploymentId: older, pinned: true, changed: true });
  } finally {
    process.umask(umask);
  }
  assert.equal(statSync(path).mode & 0o777, 0o644);
  assert.deepEqual(readFileSync(path), Buffer.concat([text, Buffer.from("\n[sealroot]\npinned = true\n")]));
  const read = await readHost(places);
  assert.equal(statusDocument(read).status.rollback?.pinned, true);
  assert.equal(statusDocument(read).status.booted?.pinned, false);
  const lines = statusText(read, { bootedOnly: false, verbose: false });
  assert.deepEqual(
    lines.filter((line) => line.includes("Pinned")),
    ["          Pinned: yes"],
  );
  assert.deepEqual(setPinned(places, older, true), { deploymentId: older, pinned: true, changed: false });
  assert.deepEqual(setPinned(places, older, false), { deploymentId: older, pinned: false, changed: true });
  assert.deepEqual(readFileSync(path), text);
  assert.deepEqual(setPinned(places, older, false), { deploymentId: older, pinned: false, changed: false });
});

test("what has no readable record cannot be pinned", async () => {
  using host = await FixtureHost.make();
  const id = await host.add();
  const places = host.places(id);
  writeFileSync(host.originFile(id), "rubbish");
  assert.throws(() => setPinned(places, id, true), { code: "corrupt" });
  assert.equal(readFileSync(host.originFile(id), "utf8"), "rubbish");
  rmSync(host.originFile(id));
  assert.throws(() => setPinned(places, id, true), {
    code: "not-found",
    message: `No origin file for deployment ${id}`,
  });
});
