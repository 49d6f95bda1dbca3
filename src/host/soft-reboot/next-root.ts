/**
 * The root for a soft reboot: what the boot program assembles at boot, assembled beside the running one, from the same plan
 * and by the new image's own configuration (systemd-soft-reboot.service(8); spec/host-boot.md 5 and 9).
 */
import { chmodSync, closeSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  BOOT_PLACES,
  type BootPlan,
  type HeldState,
  imagePath,
  type MountStep,
  OBJECTS_PATH,
  planBoot,
  planMounts,
  type StateMount,
  statePath,
  UPPER_MODE,
  WORK_MODE,
} from "../../bootplan/index.ts";
import { SealrootError } from "../../errors/index.ts";
import {
  attachMount,
  cloneMount,
  detachMount,
  makeMountWritable,
  readMountTable,
  runTool,
} from "../../platform/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { HostDeployment } from "../host.ts";
import { rootConfigurationText } from "../root-configuration.ts";
import type { SoftRebootLine } from "./signed-line.ts";

/** Where systemd looks for it. */
export const NEXT_ROOT = "/run/nextroot";
const SYSROOT = "/sysroot";

/** The deployment that a soft reboot would start; undefined when none is prepared. */
export function nextRootImage(): string | undefined {
  const source = readMountTable().findLast(({ mountPoint }) => mountPoint === NEXT_ROOT)?.source ?? "";
  return /^(?:composefs:|transient:composefs=)([0-9a-f]+)$/.exec(source)?.[1];
}

/**
 * Mounts the root of a deployment at {@link NEXT_ROOT}; what was there is detached first. Its image is measured, and its
 * configuration honoured, transient directories included.
 *
 * @throws SealrootError `untrusted` for an image that the kernel does not vouch for; `failed` as mount(8) says
 */
export async function prepareNextRoot(
  repository: Repository,
  { deploymentId }: HostDeployment,
  { commandLine, permit }: SoftRebootLine,
): Promise<void> {
  const configuration = rootConfigurationText(repository, deploymentId);
  const plan = planBoot({ commandLine: commandLine.toString(), configuration, permit });
  resetNextRoot();
  const verified = isVerified(repository, plan);
  const physical = attachPhysicalRoot();
  try {
    const state = join(physical, statePath(deploymentId));
    const steps = planMounts(plan, {
      imageSource: join(physical, imagePath(plan.image.id)),
      throughLoop: false,
      objectsSource: join(physical, OBJECTS_PATH),
      etc: heldState(plan.etc, join(state, "etc")),
      var: heldState(plan.var, join(state, "var")),
      verified,
      newRoot: NEXT_ROOT,
    });
    mkdirSync(BOOT_PLACES.imageRoot, { recursive: true, mode: 0o700 });
    for (const step of steps) await carryOut(step);
  } catch (error) {
    resetNextRoot();
    for (const place of Object.values(BOOT_PLACES)) detachAll(place);
    throw error;
  }
}

/** @returns false when none was prepared */
export function resetNextRoot(): boolean {
  return detachAll(NEXT_ROOT);
}

/** What is mounted below goes with it. */
function detachAll(path: string): boolean {
  const mounts = readMountTable().filter(({ mountPoint }) => mountPoint === path);
  for (const _ of mounts) detachMount(path);
  return mounts.length > 0;
}

/** As the boot program judges it: without `?` the kernel must vouch for the image. */
function isVerified(repository: Repository, { image }: BootPlan): boolean {
  if (repository.protection === "secure") {
    repository.objects.open(repository.images.resolve(image.id).objectId)[Symbol.dispose]();
    return true;
  }
  if (image.verityOptional) return false;
  throw new SealrootError("untrusted", "Cannot prepare a soft reboot: fs-verity does not vouch for the image", {
    path: repository.path,
    expected: image.id,
  });
}

/** A writable view of the disk, where the plan expects it. */
function attachPhysicalRoot(): string {
  const path = BOOT_PLACES.physicalRoot;
  mkdirSync(path, { recursive: true, mode: 0o700 });
  detachAll(path);
  const fd = cloneMount(SYSROOT);
  try {
    makeMountWritable(fd);
    attachMount(fd, path);
    return path;
  } finally {
    closeSync(fd);
  }
}

function heldState(kind: StateMount, directory: string): HeldState {
  if (kind === "bind") return { directory };
  if (kind !== "overlay") return undefined;
  const layers = { upper: join(directory, "upper"), work: join(directory, "work") };
  makeDirectory(layers.upper, UPPER_MODE);
  makeDirectory(layers.work, WORK_MODE);
  return layers;
}

function makeDirectory(path: string, mode: number): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
}

/** As the boot program does it (initramfs/assemble-root.ts). */
async function carryOut(step: MountStep): Promise<void> {
  switch (step.type) {
    case "mount":
      await runTool("mount", ["-n", "-t", step.fileSystem, "-o", step.options.join(","), step.source, step.target]);
      return;
    case "bind": {
      const isThere = statSync(step.target, { throwIfNoEntry: false })?.isDirectory() ?? false;
      if (step.targetIsOptional && !isThere) return;
      await runTool("mount", ["-n", "-o", step.readOnly ? "bind,ro" : "bind", step.source, step.target]);
      return;
    }
    case "make-directory":
      makeDirectory(step.path, step.mode);
      return;
    case "unmount":
      detachMount(step.path);
  }
}
