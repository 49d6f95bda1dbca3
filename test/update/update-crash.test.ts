/**
 * An update that is killed at any system call: the host boots the old deployment or the new one, each complete, and the
 * same command again ends as it would have.
 */

import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ukiPath } from "../../src/bls/index.ts";
import { readStagedRecord } from "../../src/deployment/index.ts";
import { readHost } from "../../src/host/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { openRepository, verifyImage } from "../../src/repository/index.ts";
import { addon, globalPath, inImage, scopedPath } from "../host/addon-files.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { folderPlaces } from "../host/folder-places.ts";
import { runKillable } from "../repository/faults/run-killable.ts";

const ALL = process.env.SEALROOT_ALL_FAULTS !== undefined;
const SAMPLES = 12;
const RUN = new URL("./update-fault-run.ts", import.meta.url).pathname;

type Phase = "stage" | "finalize";

interface Case {
  readonly scratch: string;
  readonly booted: string;
  readonly next: string;
  readonly source: string;
}

/** @returns the calls it made; undefined when it was killed */
function runChild({ scratch, booted, source }: Case, folder: string, phase: Phase, killAt = 0) {
  return runKillable([RUN, folder, booted, source, phase], scratch, killAt);
}

/** Every deployment that the menu offers is complete. @returns their ids, the default first */
async function bootable(folder: string, booted: string): Promise<string[]> {
  using repository = await openRepository(join(folder, "sysroot/composefs"), { upgrade: false });
  const host = await readHost(folderPlaces(folder, booted));
  const live = [host.booted, host.rollback, ...host.others].flatMap((one) => (one?.entry === undefined ? [] : [one]));
  for (const { deploymentId } of live) {
    const path = join(folder, "esp", ukiPath(deploymentId));
    assert.match(readUki(readFileSync(path), path).commandLine ?? "", new RegExp(`composefs=${deploymentId}`));
    verifyImage(repository, deploymentId);
    const state = join(folder, "sysroot/state/deploy", deploymentId);
    const names = readdirSync(state).filter((name) => !name.endsWith(".origin"));
    assert.deepEqual(names.sort(), ["etc", "var"]);
  }
  return host.entries.flatMap(({ deploymentId }) => deploymentId ?? []);
}

for (const phase of ["stage", "finalize"] as const) {
  test(`killed at any system call: ${phase}`, async (context) => {
    using scratch = temporaryDirectory();
    using host = await FixtureHost.make();
    const [old, own] = [await addon("old"), await addon("new")];
    const booted = await host.add({ beside: inImage({ scoped: { a: old }, global: { g: old } }) });
    host.writeEsp(scopedPath(booted, "a"), old);
    host.writeEsp(globalPath("g"), old);
    await host.fillEtc(booted, join(host.path, "etc"));
    await host.fillEtc(booted, join(host.physicalRoot, "state/deploy", booted, "etc"));
    rmSync(join(host.physicalRoot, "state/deploy", booted, "var"), { force: true });
    writeFileSync(join(host.physicalRoot, "state/deploy", booted, "var"), "");
    writeFileSync(join(host.path, "etc/mine"), "mine\n");
    const { reference, deploymentId: next } = await host.image({
      files: [{ path: "usr/bin/new", content: "new" }],
      beside: inImage({ scoped: { a: own }, global: { g: own } }),
    });
    const run: Case = { scratch: scratch.path, booted, next, source: reference };
    if (phase === "finalize") await runChild(run, host.path, "stage");
    const copy = (name: string) => {
      const folder = join(scratch.path, name);
      cpSync(host.path, folder, { recursive: true, verbatimSymlinks: true });
      return folder;
    };
    const isDone = async (folder: string) => {
      const ids = await bootable(folder, booted);
      const onEsp = (path: string) => readFileSync(join(folder, "esp", path));
      assert.deepEqual(onEsp(scopedPath(booted, "a")), Buffer.from(old));
      // The old one or the new one, and the new one wherever the new deployment is offered.
      const global = onEsp(globalPath("g"));
      const isNew = global.equals(own);
      assert.ok(isNew || global.equals(old));
      if (ids.includes(next)) assert.deepEqual([isNew, onEsp(scopedPath(next, "a"))], [true, Buffer.from(own)]);
      if (phase === "stage") assert.ok(!isNew);
      if (phase === "finalize") return ids.length === 2 && ids[0] === next && ids[1] === booted;
      assert.deepEqual(ids, [booted]);
      return readStagedRecord(join(folder, "run"))?.deploymentId === next;
    };

    const calls = await runChild(run, copy("whole"), phase);
    assert.ok(calls !== undefined && (await isDone(join(scratch.path, "whole"))));
    const step = ALL ? 1 : Math.ceil(calls.length / SAMPLES);
    for (let killAt = calls.length; killAt > 0; killAt -= calls.length - killAt < 5 ? 1 : step) {
      const where: string = `killed at call ${killAt} of ${calls.length}, ${calls[killAt - 1]}`;
      const folder = copy(`killed-${killAt}`);
      assert.equal(await runChild(run, folder, phase, killAt), undefined, where);
      if (!(await isDone(folder))) assert.deepEqual(await bootable(folder, booted), [booted], where);
      if (phase === "finalize" && readStagedRecord(join(folder, "run")) === undefined) {
        assert.ok(await isDone(folder), where);
      } else if (!(await isDone(folder))) {
        await runChild(run, folder, phase);
        assert.ok(await isDone(folder), where);
      }
      rmSync(folder, { recursive: true });
    }
    context.diagnostic(`${calls.length} calls`);
  });
}
