/** A repair that is killed at any system call leaves each file as it was or mended, and a second run mends the rest. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ukiPath } from "../../src/bls/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { runKillable } from "../repository/faults/run-killable.ts";

/** Every point takes two processes; the ordinary run tries a few, and this variable all of them. */
const ALL = process.env.SEALROOT_ALL_FAULTS !== undefined;
const SAMPLES = 6;
const RUN = new URL("./repair-run.ts", import.meta.url).pathname;
/** What gc removes. */
const LEFTOVER = /(?:^|\/)\.(?:sealroot-|meta\.json\.|symlink-|tmp-object-)/;

/** Paths below the folder to contents and targets. */
function snapshot(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const root of ["sysroot", "esp", "run"]) {
    for (const entry of readdirSync(join(folder, root), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const content = entry.isFile()
        ? readFileSync(path, "latin1")
        : entry.isSymbolicLink()
          ? `-> ${readlinkSync(path)}`
          : "directory";
      found.set(path.slice(folder.length + 1), content);
    }
  }
  return found;
}

/** Paths whose content differs. */
function differences(actual: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): string[] {
  const paths = new Set([...actual.keys(), ...expected.keys()]);
  return [...paths].filter((path) => actual.get(path) !== expected.get(path)).sort();
}

test("a repair killed at any system call", async (context) => {
  using host = await FixtureHost.make();
  using scratch = temporaryDirectory();
  const ids: string[] = [];
  for (const number of [1, 2])
    ids.push(await host.add({ files: [{ path: "usr/bin/n", content: `${number}`.repeat(999) }] }));
  host.menu(...ids);
  const sources = ids.map((_, index) => `oci:${host.path}/image-${index + 1}/layout:latest`);
  const good = snapshot(host.path);
  const objects = [...good].filter(([path, content]) => path.includes("/objects/") && content !== "directory");
  for (const [index, [path]] of objects.entries()) {
    if (index % 3 === 0) rmSync(join(host.path, path));
    else if (index % 3 === 1) writeFileSync(join(host.path, path), "damaged");
  }
  const [, entry = ""] = readdirSync(join(host.bootDirectory, "loader/entries")).sort();
  rmSync(join(host.bootDirectory, "loader/entries", entry));
  writeFileSync(join(host.bootDirectory, ukiPath(ids[1] ?? "")), "damaged");
  rmSync(join(host.physicalRoot, "composefs/meta.json"));
  rmSync(join(host.physicalRoot, "composefs/images", ids[0] ?? ""));
  const damaged = snapshot(host.path);

  const fresh = (name: string): string => {
    const folder = join(scratch.path, name);
    for (const root of ["sysroot", "esp", "run"]) {
      cpSync(join(host.path, root), join(folder, root), { recursive: true, verbatimSymlinks: true });
    }
    return folder;
  };
  const words = (folder: string) => [folder, ids[0] ?? "", ...sources];
  const whole = fresh("whole");
  const calls = await runKillable([RUN, ...words(whole)], scratch.path);
  assert.ok(calls !== undefined);
  assert.deepEqual(differences(snapshot(whole), good), []);
  const step = ALL ? 1 : Math.ceil(calls.length / SAMPLES);
  // The last calls are those that put things in their places.
  for (let killAt = calls.length; killAt > 0; killAt -= calls.length - killAt < 3 ? 1 : step) {
    const where: string = `killed at call ${killAt}, ${calls[killAt - 1]}`;
    const folder = fresh(`killed-${killAt}`);
    assert.equal(await runKillable([RUN, ...words(folder)], scratch.path, killAt), undefined, where);
    for (const [path, content] of snapshot(folder)) {
      if (LEFTOVER.test(path)) continue;
      assert.ok(content === good.get(path) || content === damaged.get(path), `${where}: ${path}`);
    }
    await runKillable([RUN, ...words(folder)], scratch.path);
    const after = new Map([...snapshot(folder)].filter(([path]) => !/\.(?:meta\.json\.|symlink-)/.test(path)));
    assert.deepEqual(differences(after, good), [], where);
    rmSync(folder, { recursive: true });
  }
  context.diagnostic(`${calls.length} calls`);
});
