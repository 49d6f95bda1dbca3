/** A merge that is killed at any system call leaves the old /etc or the new one, and a second run ends as the first would have. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { diffEtc } from "../../src/deployment/etc-diff.ts";
import { mergeEtcTrees } from "../../src/deployment/etc-result.ts";
import { writeEtc } from "../../src/deployment/index.ts";
import { startTool, temporaryDirectory } from "../../src/platform/index.ts";
import { extractTree, initRepository, type Repository, scanDirectory } from "../../src/repository/index.ts";
import { firstTreeDifference } from "../../src/tree/index.ts";
import { directory, file } from "../tree/build.ts";
import { etcTrees, IMAGE_CONTENT, ownTree } from "./etc-fault-trees.ts";

/** Every point takes two processes; the ordinary run tries a few, and this variable all of them. */
const ALL = process.env.SEALROOT_ALL_FAULTS !== undefined;
const SAMPLES = 8;
const PRELOAD = new URL("../repository/faults/preload.ts", import.meta.url).pathname;
const RUN = new URL("./etc-fault-run.ts", import.meta.url).pathname;

async function runChild(scratch: string, state: string, killAt = 0): Promise<readonly string[] | undefined> {
  const trace = join(scratch, "trace");
  rmSync(trace, { force: true });
  const env = {
    SEALROOT_TRACE: trace,
    SEALROOT_KILL_AT: String(killAt),
    NODE_COMPILE_CACHE: join(scratch, "compiled"),
  };
  const child = await startTool(process.execPath, ["--import", PRELOAD, RUN, scratch, state], { env });
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += String(chunk);
  });
  child.stdout?.resume();
  const { exitCode, signal } = await child.exited;
  assert.ok(exitCode === 0 || signal === "SIGKILL", complaint);
  return signal === "SIGKILL" ? undefined : readFileSync(trace, "utf8").trimEnd().split("\n");
}

/** The state directory of a deployment, with an `/etc` of an earlier merge or without. */
async function newState(scratch: string, repository: Repository, name: string, hasOld: boolean): Promise<string> {
  const state = join(scratch, name);
  mkdirSync(state);
  const next = ownTree(directory({ earlier: file("merge") }));
  if (hasOld) await writeEtc({ repository, next, targetPath: join(state, "etc") });
  return state;
}

for (const hasOld of [true, false]) {
  test(`killed at any system call, ${hasOld ? "over an earlier merge" : "for the first time"}`, async (context) => {
    using scratch = temporaryDirectory();
    const settings = { algorithm: "sha256", protection: "insecure" } as const;
    using repository = (await initRepository(join(scratch.path, "repo"), settings)).repository;
    repository.objects.ensure(IMAGE_CONTENT);
    const { pristine, current, next } = etcTrees();
    await extractTree(repository, current, join(scratch.path, "live"), { sameOwner: true, xattrs: true });
    const { root: expected } = mergeEtcTrees(current, next, diffEtc(pristine, current, next), "host");
    const isMerged = async (state: string) => {
      const { root } = await scanDirectory(join(state, "etc"), { algorithm: "sha256" });
      return firstTreeDifference(root, expected) === undefined;
    };

    const whole = await newState(scratch.path, repository, "whole", hasOld);
    const calls = await runChild(scratch.path, whole);
    assert.ok(calls !== undefined && (await isMerged(whole)));
    const step = ALL ? 1 : Math.ceil(calls.length / SAMPLES);
    let merged = 0;
    // The last calls are the interesting ones: flushing, the exchange, taking the old directory away.
    for (let killAt = calls.length; killAt > 0; killAt -= calls.length - killAt < 3 ? 1 : step) {
      const where: string = `killed at call ${killAt}, ${calls[killAt - 1]}`;
      const state = await newState(scratch.path, repository, `state-${killAt}`, hasOld);
      assert.equal(await runChild(scratch.path, state, killAt), undefined, where);
      const names = readdirSync(state).filter((name) => !name.startsWith(".sealroot-"));
      if (names.length > 0 && (await isMerged(state))) merged++;
      else if (hasOld) assert.deepEqual([names, readdirSync(join(state, "etc"))], [["etc"], ["earlier"]], where);
      else assert.deepEqual(names, [], where);
      await runChild(scratch.path, state);
      assert.ok(await isMerged(state), where);
      assert.deepEqual(readdirSync(state), ["etc"], where);
      rmSync(state, { recursive: true });
    }
    assert.ok(merged > 0, "it was killed after the exchange, too");
    context.diagnostic(`${calls.length} calls`);
  });
}
