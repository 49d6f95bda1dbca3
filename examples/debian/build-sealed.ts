/**
 * `./just build-sealed`: package list → OCI image → sealed image → disk file → booted under Secure Boot, with a table of
 * what took how long and what was proven.
 * @module
 */
import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { formatSize } from "../../src/bytes/index.ts";
import { progressView } from "../../src/cli/progress.ts";
import { describeError, reasonOf, SealrootError } from "../../src/errors/index.ts";
import { type EventSink, runStep } from "../../src/events/index.ts";
import { formatDuration, textTable } from "../../src/verbs/shared/table.ts";
import { bootAndCheck, type Proof } from "./boot-check.ts";
import { BOOTSTRAP_STEP } from "./image.ts";
import { CHECKOUT, COMMAND_STEP, makeSealedDisk, type SealedDisk } from "./sealed-disk.ts";

const USAGE = "run: ./just build-sealed [--full] [--no-boot] [--directory DIR]";

interface FinishedStep {
  readonly name: string;
  readonly durationMs: number;
}

try {
  process.exitCode = await main();
} catch (error) {
  const [message = "", ...data] = describeError(error);
  for (const line of [`build-sealed: ${message}`, ...data]) console.error(line);
  if (!(error instanceof SealrootError)) console.error(error);
  process.exitCode = error instanceof SealrootError && error.code === "usage" ? 2 : 1;
}

async function main(): Promise<number> {
  const options = readOptions();
  const steps: FinishedStep[] = [];
  const view = progressView("auto", process.stderr);
  const commandSteps: readonly string[] = Object.values(COMMAND_STEP);
  const events: EventSink = (event) => {
    if (event.type === "step-finished") steps.push({ name: event.step, durationMs: event.durationMs });
    // A command draws its own progress; two bars on one line would overwrite each other.
    if (event.type === "message" || !commandSteps.includes(event.step)) view.sink(event);
  };
  try {
    const disk = await makeSealedDisk({ ...options, reuse: false, quiet: false, events });
    const proofs = options.boot
      ? await runStep(events, "boot under Secure Boot", (step) => bootAndCheck(disk.diskPath, disk.keysDirectory, step))
      : [];
    view.close();
    await printSteps(steps, disk);
    return printProofs(proofs, disk);
  } finally {
    view.close();
  }
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { full: { type: "boolean" }, "no-boot": { type: "boolean" }, directory: { type: "string" } },
    });
    const directory = values.directory ?? join(CHECKOUT, "build");
    return { full: values.full ?? false, boot: !values["no-boot"], directory };
  } catch (error) {
    throw new SealrootError("usage", `Cannot build: ${reasonOf(error)}`, { hint: USAGE });
  }
}

async function printSteps(steps: readonly FinishedStep[], disk: SealedDisk): Promise<void> {
  const { image } = disk;
  const results: Readonly<Record<string, string>> = {
    [BOOTSTRAP_STEP]: imageSize(disk),
    [COMMAND_STEP.seal]: `adds ${formatSize(disk.addedLayerBytes)}`,
    [COMMAND_STEP.install]: `${formatSize((await stat(disk.diskPath)).blocks * 512)} on disk`,
  };
  const rows = steps.map(({ name, durationMs }) => [name, formatDuration(durationMs), results[name] ?? ""]);
  if (image.reused) rows.unshift([BOOTSTRAP_STEP, "reused", imageSize(disk)]);
  console.log("");
  for (const line of textTable([["STEP", "TIME", "RESULT"], ...rows], [1])) console.log(line);
}

function imageSize({ image }: SealedDisk): string {
  return `${formatSize(image.uncompressedBytes)}, compressed ${formatSize(image.layerBytes)}`;
}

/** @returns the exit code: 1 when a proof failed */
function printProofs(proofs: readonly Proof[], disk: SealedDisk): number {
  console.log("");
  for (const { claim, seen, holds } of proofs) console.log(`${holds ? "proven" : "FAILED"}  ${claim}: ${seen}`);
  const path = (name: string) => relative(process.cwd(), name);
  const keys = path(disk.keysDirectory);
  console.log(`\nBoot it again: bin/sealroot vm run ${path(disk.diskPath)} --secure-boot-keys ${keys}`);
  return proofs.every(({ holds }) => holds) ? 0 : 1;
}
