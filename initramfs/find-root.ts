/** Finding the physical root in an initramfs without udev: asking blkid about every block device until one fits. */
import {
  type BlockDevice,
  describeDevices,
  describeRootSource,
  parseBlkidExport,
  type RootSource,
  rootCandidates,
} from "../src/bootplan/root-device.ts";
import { SealrootError } from "../src/errors/index.ts";
import { readLoaderVariable } from "./efi-variables.ts";
import { loadKernelModules } from "./kernel-modules.ts";
import { type BootSystem, decodeText, readText } from "./system.ts";
import { toolCommand } from "./tools.ts";

const TIMEOUT_MS = 30_000;
const POLL_MS = 100;
const CLASS = "/sys/class/block";
/** Memory, loop and removable drives: never the root, and slow to ask. */
const NEVER_ROOT = /^(?:loop|ram|zram|nbd|sr|fd)[0-9]/;

/**
 * Waits for the one device that `source` means.
 *
 * @throws SealrootError `not-found` after 30 s and `conflict` for several, both with what was seen
 */
export function findRootDevice(system: BootSystem, source: RootSource): BlockDevice {
  const machine = readText(system, "/proc/sys/kernel/arch")?.trim() ?? "";
  const loaderUuid = readLoaderVariable(system, "LoaderDevicePartUUID");
  if (source.type === "loader-disk" && loaderUuid === undefined) {
    throw new SealrootError("not-found", "Cannot find the root device: the boot loader did not say where it is", {
      expected: "the EFI variable LoaderDevicePartUUID, or root= on the kernel command line",
    });
  }
  const known = new Map<string, BlockDevice>();
  const deadlineMs = system.nowMs() + TIMEOUT_MS;
  for (let round = 0; ; round++) {
    if (round === 1) loadKernelModules(system, "order-slow");
    askNewDevices(system, known);
    const devices = [...known.values()];
    const [device, ...others] = rootCandidates(source, devices, loaderUuid, machine);
    if (device !== undefined && others.length === 0) return device;
    if (device !== undefined || system.nowMs() >= deadlineMs) {
      const wanted = describeRootSource(source);
      const where = source.type === "loader-disk" ? ` (its partition is ${loaderUuid?.toLowerCase()})` : "";
      const state = device === undefined ? `${wanted} did not appear in 30 s` : `${others.length + 1} devices fit`;
      throw new SealrootError(
        device === undefined ? "not-found" : "conflict",
        `Cannot find the root device: ${state}`,
        {
          expected: wanted + where,
          actual: describeDevices(devices),
        },
      );
    }
    if (round > 0) system.sleepMs(POLL_MS);
  }
}

/** Asks about devices not seen before, and again about those that did not answer. */
function askNewDevices(system: BootSystem, known: Map<string, BlockDevice>): void {
  const names = system.list(CLASS).filter((name) => !NEVER_ROOT.test(name));
  for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
  for (const name of names) {
    if ((known.get(name)?.properties.size ?? 0) > 0) continue;
    const { output } = system.run(toolCommand(system, "blkid", ["-p", "-o", "export", `/dev/${name}`]));
    known.set(name, { name, disk: diskOf(system, name), properties: parseBlkidExport(decodeText(output)) });
  }
}

/** A partition's folder in sysfs is inside its disk's. */
function diskOf(system: BootSystem, name: string): string {
  if (system.readBytes(`${CLASS}/${name}/partition`) === undefined) return name;
  return system.realPath(`${CLASS}/${name}/..`)?.split("/").at(-1) ?? name;
}
