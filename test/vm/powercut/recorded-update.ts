/** Updates of the sealed example, with every write and flush recorded. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../../src/platform/index.ts";
import type { VirtualMachine } from "../../../src/vm/index.ts";
import { startGuest } from "../../guest/fixture.ts";
import { mountStick, STICK, stickOf } from "../image-disk.ts";
import { BOOT_TIMEOUT_MS, bootSealed, type SealedExample, systemState } from "../sealed-example.ts";
import { type VariantImage, variantImage } from "../variant-image.ts";

/** Staging writes a hundred MB in emulation, on a machine whose processors others want too. */
const STAGE_TIMEOUT_MS = 1_200_000;

/** Two images for updates, on a disk of their own. */
export interface Updates {
  readonly stickPath: string;
  readonly second: VariantImage;
  readonly third: VariantImage;
}

export async function makeUpdates(example: SealedExample, directory: string): Promise<Updates> {
  const images = join(directory, "images");
  mkdirSync(images);
  const variant = (name: string, version: string) =>
    variantImage(example, images, {
      name,
      version,
      files: { [`usr/share/${name}`]: `${version}\n`, [`etc/${name}.conf`]: "of the image\n" },
    });
  const second = await variant("second", "2");
  const third = await variant("third", "3");
  return { stickPath: await stickOf(images), second, third };
}

/** A guest whose disk is `diskPath`, with the updates on a second one; booted, with every unit well. */
export async function startHost(
  example: SealedExample,
  { stickPath }: Updates,
  diskPath: string,
  writeLogPath?: string,
): Promise<VirtualMachine> {
  const logged = writeLogPath === undefined ? {} : { writeLogPath };
  const guest = await bootSealed(example, diskPath, {
    drives: [
      { path: diskPath, mode: "persist", ...logged },
      { path: stickPath, mode: "read-only" },
    ],
  });
  try {
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
    await mountStick(guest);
    return guest;
  } catch (error) {
    await guest.stop();
    throw error;
  }
}

/** Runs a verb that must succeed. @returns what it printed */
export async function hostVerb(guest: VirtualMachine, words: string): Promise<string> {
  const { exitCode, stdout, stderr } = await guest.run(`sealroot ${words}`, STAGE_TIMEOUT_MS);
  assert.equal(exitCode, 0, `sealroot ${words}\n${stdout}\n${stderr}`);
  return stdout.toString();
}

export async function switchTo(guest: VirtualMachine, name: "second" | "third"): Promise<void> {
  await hostVerb(guest, `switch --insecure-policy --transport oci ${STICK}/${name}-sealed:${name} --quiet`);
}

export async function shutDown(guest: VirtualMachine): Promise<void> {
  await guest.run("systemctl poweroff --no-block");
  await guest.waitForExit(BOOT_TIMEOUT_MS);
  await guest.stop();
}

/** What was recorded: the disk before, and what was written. */
export interface RecordedRun {
  readonly basePath: string;
  readonly logPath: string;
}

export interface RunPlace {
  /** As it is before, and after. */
  readonly diskPath: string;
  readonly directory: string;
  /** Names the files in the directory. */
  readonly name: string;
}

/**
 * Takes steps on the disk of a host that is not booted: in the small guest, whose kernel writes as the host's own does, in
 * a fraction of the time.
 *
 * @param steps as test/guest/inside/host-updates.ts has them
 */
export async function recordSteps(
  { stickPath }: Updates,
  place: RunPlace,
  steps: readonly string[],
): Promise<RecordedRun> {
  const run = await prepare(place);
  const guest = await startGuest(
    {},
    { path: place.diskPath, mode: "persist", writeLogPath: run.logPath },
    { path: stickPath, mode: "read-only" },
  );
  try {
    const command = `exec node test/guest/inside/host-updates.ts ${steps.join(" ")}`;
    const { exitCode, stdout, stderr } = await guest.run(command, STAGE_TIMEOUT_MS);
    assert.equal(exitCode, 0, `${stdout}\n${stderr}\n${guest.consoleText.slice(-2000)}`);
  } finally {
    await guest.stop();
  }
  return run;
}

/**
 * Records a boot of the host itself, what is done on it, and its shutdown.
 * @param work what is done
 */
export async function recordBoot(
  example: SealedExample,
  updates: Updates,
  place: RunPlace,
  work: (guest: VirtualMachine) => Promise<void>,
): Promise<RecordedRun> {
  const run = await prepare(place);
  const guest = await startHost(example, updates, place.diskPath, run.logPath);
  try {
    await work(guest);
    await shutDown(guest);
  } finally {
    await guest.stop();
  }
  return run;
}

async function prepare({ diskPath, directory, name }: RunPlace): Promise<RecordedRun> {
  const [basePath, logPath] = [join(directory, `${name}.img`), join(directory, `${name}.log`)];
  await runTool("cp", ["--sparse=always", diskPath, basePath]);
  writeFileSync(logPath, "");
  return { basePath, logPath };
}
