/** Adding and removing add-ons, killed at any system call: each is whole or not there, and the next run ends it. */

import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silent } from "../../src/events/index.ts";
import { collectHost } from "../../src/host/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { runKillable } from "../repository/faults/run-killable.ts";
import { addon, globalPath, inImage, scopedPath } from "./addon-files.ts";
import { FixtureHost } from "./fixture-host.ts";

const ALL = process.env.SEALROOT_ALL_FAULTS !== undefined;
const SAMPLES = 12;
const RUN = new URL("./addons-fault-run.ts", import.meta.url).pathname;

for (const action of ["add", "remove"] as const) {
  test(`killed at any system call: ${action}`, async (context) => {
    using scratch = temporaryDirectory();
    using host = await FixtureHost.make();
    const [debug, site] = [await addon("debug"), await addon("site=north")];
    const booted = await host.add({ beside: inImage({ scoped: { debug }, global: { site } }) });
    const files = new Map([
      [scopedPath(booted, "debug"), debug],
      [globalPath("site"), site],
    ]);
    if (action === "remove") for (const [path, bytes] of files) host.writeEsp(path, bytes);
    const copy = (name: string) => {
      const folder = join(scratch.path, name);
      cpSync(host.path, folder, { recursive: true, verbatimSymlinks: true });
      return folder;
    };
    /** How many are there, each whole. */
    const there = (folder: string) => {
      const present = [...files].filter(([path]) => existsSync(join(folder, "esp", path)));
      for (const [path, bytes] of present)
        assert.deepEqual(readFileSync(join(folder, "esp", path)), Buffer.from(bytes));
      return present.length;
    };
    const espNames = (folder: string) => readdirSync(join(folder, "esp"), { recursive: true }).map(String).sort();
    const whole = copy("whole");
    const calls = await runKillable([RUN, whole, booted, action], scratch.path);
    assert.ok(calls !== undefined);
    assert.equal(there(whole), action === "add" ? 2 : 0);
    const step = ALL ? 1 : Math.ceil(calls.length / SAMPLES);
    for (let killAt = calls.length; killAt > 0; killAt -= step) {
      const where: string = `killed at call ${killAt} of ${calls.length}, ${calls[killAt - 1]}`;
      const folder = copy(`killed-${killAt}`);
      assert.equal(await runKillable([RUN, folder, booted, action], scratch.path, killAt), undefined, where);
      const left = there(folder);
      if (action === "add") await runKillable([RUN, folder, booted, action], scratch.path);
      else if (left === 2) await runKillable([RUN, folder, booted, action], scratch.path);
      else if (left === 1) assert.ok(!existsSync(join(folder, "esp", globalPath("site"))), where);
      if (action === "add" || left === 2) assert.equal(there(folder), action === "add" ? 2 : 0, where);
      // What was being written goes with the garbage.
      const places = {
        ...host.places(booted),
        physicalRoot: join(folder, "sysroot"),
        bootDirectory: join(folder, "esp"),
      };
      await collectHost(places, { dryRun: false, scope: "boot", preparedImage: undefined, events: silent });
      if (action === "add") assert.deepEqual(espNames(folder), espNames(whole), where);
      rmSync(folder, { recursive: true });
    }
    context.diagnostic(`${calls.length} calls`);
  });
}
