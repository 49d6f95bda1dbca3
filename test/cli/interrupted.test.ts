/**
 * Verbs that take long, ended by a signal at the beginning of their steps: nothing is left of them in any place, whatever
 * the signal allows; after SIGKILL the next run, which succeeds, takes away what was left.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sealableImage } from "../seal/sealable-image.ts";
import { run } from "./run-verb.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const scratch = mkdtempSync(join(tmpdir(), "sealroot-interrupted-"));
const at = (...names: string[]) => join(scratch, ...names);
/** Two steps of each verb are tried with each signal; this variable tries all of them, and all verbs. */
const ALL = process.env.SEALROOT_ALL_FAULTS !== undefined;
const SAMPLES_MIN = 2;
const SAMPLES = ALL ? Number.POSITIVE_INFINITY : SAMPLES_MIN;

let plain: string;
before(async () => {
  plain = await sealableImage(scratch);
  await succeed("keys", "generate", at("keys"));
  await succeed("seal", plain, "-o", `oci:${at("sealed")}`, "--keys", at("keys"));
  await succeed("repo", "init", "--insecure", at("repository"));
  await succeed("image", "pull", "--repo", at("repository"), plain, "image");
});
after(() => rmSync(scratch, { recursive: true, force: true }));

async function succeed(...words: string[]): Promise<void> {
  const { exitCode, err } = await run(...words);
  assert.equal(exitCode, 0, err);
}

interface Outcome {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Names of the steps that began, in order. */
  readonly steps: readonly string[];
  readonly stderr: string;
}

/** Runs a command line and, at the beginning of the step, ends it. */
function start(words: readonly string[], temporary: string, end?: { step: string; signal: NodeJS.Signals }) {
  const child = spawn(process.execPath, [MAIN, ...words, "--progress", "json"], {
    env: { ...process.env, TMPDIR: temporary, NODE_COMPILE_CACHE: at("compiled") },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    if (end !== undefined && stepsIn(stderr).includes(end.step)) child.kill(end.signal);
  });
  return new Promise<Outcome>((resolve) => {
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal, steps: stepsIn(stderr), stderr }));
  });
}

function stepsIn(stderr: string): string[] {
  return stderr.split("\n").flatMap((line) => {
    const [, step] = /"type":"step-started","step":"([^"]+)"/.exec(line) ?? [];
    return step === undefined ? [] : [step];
  });
}

/** Everything that is in a place, by path. */
function namesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
}

function samplesOf(steps: readonly string[]): string[] {
  const distinct = [...new Set(steps)];
  const stride = Math.max(1, Math.floor(distinct.length / SAMPLES));
  return distinct.filter((_, index) => (index + 1) % stride === 0);
}

type CommandLine = (place: string) => readonly string[];

/** What each verb makes in its place, where nothing else is. */
const VERBS: Readonly<Record<string, CommandLine>> = {
  seal: (place) => ["seal", plain, "-o", `oci:${place}/out`, "--keys", at("keys")],
  "install to-disk": (place) => {
    const words = ["install", "to-disk", `${place}/disk.img`, "--size", "1200M", "--target-imgref", "quay.io/os:1"];
    return [...words, "--source-imgref", `oci:${at("sealed")}`];
  },
  "image copy": (place) => ["image", "copy", plain, `oci:${place}/out`, "--compression", "zstd"],
  "image push": (place) => ["image", "push", "--repo", at("repository"), "image", `oci-archive:${place}/out.tar`],
};

/** These go the ways of the others. */
const FURTHER_VERBS: Readonly<Record<string, CommandLine>> = {
  "seal to an archive": (place) => ["seal", plain, "-o", `oci-archive:${place}/out.tar`, "--keys", at("keys")],
  "seal to a directory": (place) => ["seal", plain, "-o", `dir:${place}/out`, "--keys", at("keys")],
};

for (const [name, command] of Object.entries({ ...VERBS, ...(ALL ? FURTHER_VERBS : {}) })) {
  test(`${name}: a signal leaves nothing, and what SIGKILL leaves the next run takes away`, async (context) => {
    const fresh = (text: string) => {
      const path = at(`${name} ${text}`.replaceAll(/[^a-z0-9]+/gi, "-"));
      mkdirSync(join(path, "place"), { recursive: true });
      mkdirSync(join(path, "temporary"));
      return {
        place: join(path, "place"),
        temporary: join(path, "temporary"),
        remove: () => rmSync(path, { recursive: true }),
      };
    };
    const whole = fresh("whole");
    const first = await start(command(whole.place), whole.temporary);
    assert.equal(first.exitCode, 0, first.stderr);
    assert.deepEqual(namesIn(whole.temporary), []);
    const expected = namesIn(whole.place);
    whole.remove();
    let ended = 0;
    for (const step of samplesOf(first.steps)) {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const { place, temporary, remove } = fresh(`${step} ${signal}`);
        const outcome = await start(command(place), temporary, { step, signal });
        if (outcome.signal === signal) ended++;
        else assert.equal(outcome.exitCode, 0, `${step}: ${outcome.stderr}`);
        // In the last step it may come too late: then the result is whole.
        assert.deepEqual(namesIn(place), namesIn(place).length === 0 ? [] : expected, step);
        assert.deepEqual(namesIn(temporary), [], step);
        remove();
      }
      const { place, temporary, remove } = fresh(`${step} KILL`);
      const outcome = await start(command(place), temporary, { step, signal: "SIGKILL" });
      if (outcome.signal === "SIGKILL") ended++;
      const again = await start(command(place), temporary);
      assert.equal(again.exitCode, 0, `${step}: ${again.stderr}`);
      assert.deepEqual(namesIn(place), expected, step);
      assert.deepEqual(namesIn(temporary), [], step);
      remove();
    }
    assert.ok(ended > SAMPLES_MIN, `${ended}`);
    context.diagnostic(`steps: ${first.steps.join(", ")}`);
  });
}

test("image pull: what a signal leaves in a repository is whole, and the next pull uses it", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    const repository = at(`pulled-${signal}`);
    await succeed("repo", "init", "--insecure", repository);
    const words = ["image", "pull", "--repo", repository, plain, "image"];
    const outcome = await start(words, scratch, { step: "pull layers", signal });
    assert.equal(outcome.signal, signal, outcome.stderr);
    const hidden = namesIn(repository).filter((name) => /(^|\/)\./.test(name));
    assert.deepEqual(hidden, []);
    await succeed("repo", "fsck", "--repo", repository);
    await succeed(...words);
    await succeed("image", "compute-id", "--repo", repository, "image");
  }
});
