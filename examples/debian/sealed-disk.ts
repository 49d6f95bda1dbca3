/** The example from package list to sealed disk file, by the same commands a user types. */
import { createHash } from "node:crypto";
import { existsSync, globSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { hasErrno } from "../../src/errors/index.ts";
import { type EventSink, runStep } from "../../src/events/index.ts";
import { OciLayout, readManifest } from "../../src/oci/index.ts";
import { waitForLock } from "../../src/platform/index.ts";
import { addHostProgram } from "./host-program.ts";
import { buildDebianImage, type DebianImage } from "./image.ts";
import { runSealroot } from "./sealroot.ts";

export interface SealedDiskOptions {
  /** Where everything goes; `build` in the checkout when absent. */
  readonly directory?: string;
  /** The larger system of the benchmarks. */
  readonly full?: boolean;
  /** True: take a disk that was made from the same image, keys and sources. False: seal and install again. */
  readonly reuse: boolean;
  /** True: nothing is printed; what a failing command printed is in its error. */
  readonly quiet: boolean;
  readonly events: EventSink;
}

export interface SealedDisk {
  readonly image: DebianImage;
  /** `oci:DIRECTORY:TAG` of the sealed image. */
  readonly sealedReference: string;
  /** Of the sealed image. */
  readonly manifestDigest: string;
  /** The layer that sealing added: signed loader, enrolment files, UKI. */
  readonly addedLayerBytes: number;
  readonly keysDirectory: string;
  readonly diskPath: string;
}

/** Steps that are commands of their own: with `quiet` false they have the terminal and show their own progress. */
export const COMMAND_STEP = {
  keys: "make Secure Boot keys",
  seal: "seal the image",
  install: "install to a disk file",
} as const;

export const CHECKOUT = resolve(import.meta.dirname, "../..");
const DISK_SIZE = { small: "3G", full: "6G" };
/** Bounds the wait for another process that builds in the same directory. */
const LOCK_TIMEOUT_MS = 30 * 60_000;

/**
 * Makes image, keys (once), sealed image and disk file. Two processes may call it for one directory at a time: the
 * second waits and finds the work done.
 *
 * @throws SealrootError what the failing step says
 */
export async function makeSealedDisk(options: SealedDiskOptions): Promise<SealedDisk> {
  const directory = options.directory ?? join(CHECKOUT, "build");
  await mkdir(directory, { recursive: true });
  const lock = await open(join(directory, ".lock"), "w");
  try {
    await waitForLock(lock.fd, "exclusive", LOCK_TIMEOUT_MS);
    return await makeLocked(directory, options);
  } finally {
    await lock.close();
  }
}

async function makeLocked(directory: string, options: SealedDiskOptions): Promise<SealedDisk> {
  const { events, quiet, full = false } = options;
  const name = full ? "debian-full" : "debian";
  const base = await buildDebianImage({ directory: join(directory, `${name}-base`), full, events });
  const image = await addHostProgram(base, join(directory, name), events);
  const keysDirectory = join(directory, "keys");
  if (!existsSync(keysDirectory)) {
    await runStep(events, COMMAND_STEP.keys, () => runSealroot(["keys", "generate", keysDirectory], { quiet }));
  }
  const sealedDirectory = join(directory, `${name}-sealed`);
  const sealedReference = `oci:${sealedDirectory}:latest`;
  const diskPath = join(directory, `${name}.img`);
  const finish = async (): Promise<SealedDisk> => {
    return { image, sealedReference, ...(await readSealed(sealedDirectory)), keysDirectory, diskPath };
  };

  const stampPath = `${diskPath}.inputs`;
  const stamp = await inputsStamp(image, keysDirectory);
  if (options.reuse && existsSync(diskPath) && (await readStamp(stampPath)) === stamp) return finish();
  await rm(stampPath, { force: true });
  const run = { quiet, env: { SOURCE_DATE_EPOCH: String(image.sourceDateEpochSeconds) } };
  await rm(sealedDirectory, { recursive: true, force: true });
  await runStep(events, COMMAND_STEP.seal, () =>
    runSealroot(["seal", image.reference, "-o", sealedReference, "--keys", keysDirectory], run),
  );
  const install = [
    ...["install", "to-disk", diskPath, "--wipe", "--size", full ? DISK_SIZE.full : DISK_SIZE.small],
    // A host upgrades from where its image is published; this name stands for that place.
    ...["--source-imgref", sealedReference, "--target-imgref", "localhost/debian-sealed:latest"],
  ];
  await runStep(events, COMMAND_STEP.install, () => runSealroot(install, run));
  await writeFile(stampPath, stamp);
  return finish();
}

async function readSealed(directory: string): Promise<Pick<SealedDisk, "manifestDigest" | "addedLayerBytes">> {
  const layout = await OciLayout.open(directory);
  const { manifests } = await layout.readIndex();
  const manifestDigest = manifests[0]?.digest ?? "";
  const path = layout.blobs.pathOf(manifestDigest);
  return { manifestDigest, addedLayerBytes: readManifest(await readFile(path), path).layers.at(-1)?.size ?? 0 };
}

/** Changes whenever image, keys or the program's sources do. */
async function inputsStamp(image: DebianImage, keysDirectory: string): Promise<string> {
  const hash = createHash("sha256").update(image.manifestDigest);
  const sources = ["src/**/*.ts", "initramfs/**/*"].flatMap((pattern) => globSync(pattern, { cwd: CHECKOUT }));
  const keys = globSync("{*.pem,sbat.csv}", { cwd: keysDirectory });
  const paths = [...sources.map((path) => join(CHECKOUT, path)), ...keys.map((path) => join(keysDirectory, path))];
  for (const path of paths.sort()) {
    const content = await readFile(path).catch((error: unknown) => {
      if (hasErrno(error, "EISDIR")) return "";
      throw error;
    });
    hash.update(path).update(content);
  }
  return hash.digest("hex");
}

async function readStamp(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
