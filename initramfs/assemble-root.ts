/** Executes the boot plan: from the bare initramfs to the finished root. */
import { type BootInputs, type BootPlan, planBoot } from "../src/bootplan/boot-plan.ts";
import { judgeMeasurement, parseMeasurement } from "../src/bootplan/measurement.ts";
import { BOOT_PLACES, imagePath, type MountStep, planMounts } from "../src/bootplan/mount-plan.ts";
import { parseBlkidExport } from "../src/bootplan/root-device.ts";
import { checkObjects } from "./check-objects.ts";
import type { CountedBoot } from "./counted-boot.ts";
import { isEncrypted, openEncryptedRoot, type UnlockSituation } from "./encrypted-root.ts";
import { deviceBelow, isAnonymous, RootSearch } from "./find-root.ts";
import { holdPlaces } from "./held-places.ts";
import { type BootSystem, decodeText, readText } from "./system.ts";
import { CONFIGURATION, LOOP_MARK, PERMIT, runTool, toolCommand } from "./tools.ts";

export interface AssembleRequest {
  /** Where the finished root goes. */
  readonly newRoot: string;
  /** Whether the initramfs around us has already mounted the physical root on `newRoot`. */
  readonly rootIsMounted: boolean;
  /** For a root partition that is encrypted; undefined where the initramfs around us opens it. */
  readonly unlock?: UnlockSituation;
}

/** The texts that decide the boot, where they are at boot. */
export function bootInputs(system: BootSystem): BootInputs {
  return {
    commandLine: readText(system, "/proc/cmdline") ?? "",
    configuration: readText(system, CONFIGURATION),
    permit: readText(system, PERMIT),
  };
}

/**
 * Makes the root. Any exception means that the machine must not continue.
 *
 * @throws SealrootError, or Error from the machine
 */
export function assembleRoot(system: BootSystem, request: AssembleRequest, boot: CountedBoot): void {
  const plan = planBoot(bootInputs(system));
  const search = new RootSearch(system, plan.root);
  system.makeDirectory(BOOT_PLACES.physicalRoot, 0o700);
  system.makeDirectory(BOOT_PLACES.imageRoot, 0o700);
  if (request.rootIsMounted) borrowPhysicalRoot(system, request.newRoot);
  else mountPhysicalRoot(system, plan, openedDevice(system, search, request.unlock));
  boot.attach(plan.image.id);
  const deviceNumber = physicalRootNumber(system);
  nameDeviceForSystemd(system, deviceNumber);
  const places = holdPlaces(system, plan);
  const measured = system.run(toolCommand(system, "measure", [places.imageSource]));
  const measurement = parseMeasurement(measured.status, measured.output);
  const verified = judgeMeasurement(plan.image, measurement, `/${imagePath(plan.image.id)} on the physical root`);
  if (plan.checkObjects) checkObjects(system, places.objectsSource);
  const throughLoop = system.readBytes(LOOP_MARK) !== undefined;
  if (throughLoop) system.createFile(BOOT_PLACES.imageFile, new Uint8Array(0));
  const facts = { ...places, throughLoop, verified, newRoot: request.newRoot };
  for (const step of planMounts(plan, facts)) carryOut(system, step);
  search.confirm(deviceNumber);
  const guard = verified ? "fs-verity required" : "WITHOUT fs-verity, as composefs=? allows";
  const seal = plan.isSealed ? "" : ", NOT SEALED";
  boot.reach("system");
  system.report("information", `the root is composefs:${plan.image.id}, ${guard}${seal}`);
}

/**
 * Tells systemd which partition is behind the overlay, and with it which disk has the ESP (spec/boot-chain.md I.4). An encrypted
 * root's is the one below it: systemd does not look further down (systemd-gpt-auto-generator(8)). May dangle until udev runs.
 */
function nameDeviceForSystemd(system: BootSystem, rootNumber: string): void {
  if (isAnonymous(rootNumber)) return;
  const partitionNumber = deviceBelow(system, rootNumber)?.deviceNumber ?? rootNumber;
  system.makeLink(`/dev/block/${partitionNumber}`, "/run/systemd/volatile-root");
}

/** Read-write: the state of /etc and /var is on it. The view of it in the new root is read-only. */
function mountPhysicalRoot(system: BootSystem, plan: BootPlan, device: RootDevice): void {
  const options = plan.rootOptions === undefined ? "rw" : `rw,${plan.rootOptions}`;
  const args = ["-n", ...(device.type === undefined ? [] : ["-t", device.type]), "-o", options];
  runTool(system, "mount the physical root", "mount", [...args, device.path, BOOT_PLACES.physicalRoot]);
}

interface RootDevice {
  readonly path: string;
  /** Of the file system, as blkid says. */
  readonly type: string | undefined;
}

/** The device with the file system: the partition, or what is in it. */
function openedDevice(system: BootSystem, search: RootSearch, unlock: UnlockSituation | undefined): RootDevice {
  const partition = search.find();
  if (!isEncrypted(partition)) return { path: `/dev/${partition.name}`, type: partition.properties.get("TYPE") };
  const path = openEncryptedRoot(system, partition, unlock ?? { phases: undefined, canFallBack: false });
  const { output } = system.run(toolCommand(system, "blkid", ["-p", "-o", "export", path]));
  return { path, type: parseBlkidExport(decodeText(output)).get("TYPE") };
}

/**
 * A second, private view of an already mounted root: private, or the overlay on top of the first one would also appear
 * on the second (spec/boot-chain.md E, trap of shared mounts).
 */
function borrowPhysicalRoot(system: BootSystem, newRoot: string): void {
  const view = BOOT_PLACES.physicalRoot;
  runTool(system, "bind the physical root", "mount", ["-n", "--bind", "--make-private", newRoot, view]);
  runTool(system, "make the physical root writable", "mount", ["-n", "-o", "remount,rw", view]);
}

/** Major and minor number of what is mounted there (proc_pid_mountinfo(5)). */
function physicalRootNumber(system: BootSystem): string {
  const line = (readText(system, "/proc/self/mountinfo") ?? "")
    .split("\n")
    .map((text) => text.split(" "))
    .findLast((fields) => fields[4] === BOOT_PLACES.physicalRoot);
  return line?.[2] ?? "0:0";
}

/** Without -c mount(8) would resolve the path of a held file and use whatever has that name by then. */
function carryOut(system: BootSystem, step: MountStep): void {
  switch (step.type) {
    case "mount": {
      const options = ["-n", "-c", "-t", step.fileSystem, "-o", step.options.join(",")];
      runTool(system, `mount ${step.what}`, "mount", [...options, step.source, step.target]);
      return;
    }
    case "bind":
      if (step.targetIsOptional && !system.isDirectory(step.target)) return;
      runTool(system, `bind ${step.what}`, "mount", [
        "-n",
        "-c",
        "-o",
        step.readOnly ? "bind,ro" : "bind",
        step.source,
        step.target,
      ]);
      return;
    case "make-directory":
      system.makeDirectory(step.path, step.mode);
      return;
    case "unmount":
      runTool(system, `detach ${step.path}`, "umount", ["-n", "-l", step.path]);
  }
}
