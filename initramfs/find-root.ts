/** Finding the physical root in an initramfs without udev: asking blkid about every block device until one fits. */
import {
  type BlockDevice,
  describeDevices,
  describeRootSource,
  isOneFileSystem,
  ONE_DISK_HINT,
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

/** A search for the one device that is the physical root. */
export class RootSearch {
  readonly #system: BootSystem;
  readonly #source: RootSource;
  readonly #machine: string;
  readonly #loaderUuid: string | undefined;
  readonly #known = new Map<string, BlockDevice>();

  constructor(system: BootSystem, source: RootSource) {
    this.#system = system;
    this.#source = source;
    this.#machine = readText(system, "/proc/sys/kernel/arch")?.trim() ?? "";
    this.#loaderUuid = readLoaderVariable(system, "LoaderDevicePartUUID");
  }

  /**
   * Waits for the device.
   *
   * @throws SealrootError `not-found` after 30 s and `conflict` for several, both with what was seen
   */
  find(): BlockDevice {
    const system = this.#system;
    if (this.#source.type === "loader-disk" && this.#loaderUuid === undefined) {
      throw new SealrootError("not-found", "Cannot find the root device: the boot loader did not say where it is", {
        expected: "the EFI variable LoaderDevicePartUUID, or root= on the kernel command line",
      });
    }
    const deadlineMs = system.nowMs() + TIMEOUT_MS;
    for (let round = 0; ; round++) {
      if (round === 1) loadKernelModules(system, "order-slow");
      const [device, ...others] = this.#candidates();
      if (others.length > 0) throw this.#error("conflict", `${others.length + 1} devices fit`);
      if (device !== undefined) return device;
      if (system.nowMs() >= deadlineMs) {
        throw this.#error("not-found", `${describeRootSource(this.#source)} did not appear in 30 s`);
      }
      if (round > 0) system.sleepMs(POLL_MS);
    }
  }

  /**
   * Looks again once the root is mounted: a copy of the disk may have appeared in the meantime, and an initramfs that
   * mounts the root itself silently uses one of two.
   *
   * @param mountedNumber major and minor number of what is mounted, as in mountinfo
   * @throws SealrootError `conflict` when several devices fit, or another one than the mounted one
   */
  confirm(mountedNumber: string): void {
    const fitting = this.#candidates();
    // An encrypted partition is what was looked for; what is mounted is the device that was made of it.
    const below = deviceBelow(this.#system, mountedNumber);
    const isOpened = below !== undefined && fitting.some(({ name }) => name === below.name);
    const candidates = isOpened ? fitting.filter(({ name }) => name !== below.mapped) : fitting;
    const [device, ...others] = candidates;
    if (others.length > 0 && !isOneFileSystem(candidates)) {
      throw this.#error("conflict", `${candidates.length} devices fit`);
    }
    if (isOpened || device === undefined || others.length > 0 || isAnonymous(mountedNumber)) return;
    if (readText(this.#system, `${CLASS}/${device.name}/dev`)?.trim() !== mountedNumber) {
      throw this.#error("conflict", `${device.name} fits, and device ${mountedNumber} is mounted`);
    }
  }

  /** Asks about devices not seen before, and again about those that did not answer. */
  #candidates(): BlockDevice[] {
    const names = this.#system.list(CLASS).filter((name) => !NEVER_ROOT.test(name));
    for (const name of this.#known.keys()) if (!names.includes(name)) this.#known.delete(name);
    for (const name of names) {
      if ((this.#known.get(name)?.properties.size ?? 0) === 0) this.#known.set(name, askDevice(this.#system, name));
    }
    return rootCandidates(this.#source, [...this.#known.values()], this.#loaderUuid, this.#machine);
  }

  #error(code: "conflict" | "not-found", state: string): SealrootError {
    const where = this.#source.type === "loader-disk" ? ` (its partition is ${this.#loaderUuid?.toLowerCase()})` : "";
    return new SealrootError(code, `Cannot find the root device: ${state}`, {
      expected: describeRootSource(this.#source) + where,
      actual: describeDevices([...this.#known.values()]),
      ...(code === "conflict" && { hint: ONE_DISK_HINT }),
    });
  }
}

/** Of a mapped device on one other device: its own kernel name, and name and number of that one. */
export function deviceBelow(
  system: BootSystem,
  deviceNumber: string,
): { readonly mapped: string; readonly name: string; readonly deviceNumber: string } | undefined {
  const mapped = system.realPath(`/sys/dev/block/${deviceNumber}`)?.split("/").at(-1);
  if (mapped === undefined) return undefined;
  const [name, ...others] = system.list(`${CLASS}/${mapped}/slaves`);
  if (name === undefined || others.length > 0) return undefined;
  const below = readText(system, `${CLASS}/${name}/dev`)?.trim();
  return below === undefined ? undefined : { mapped, name, deviceNumber: below };
}

/**
 * Major number 0 is not a device: file systems on several have such a number (Linux,
 * Documentation/admin-guide/devices.txt).
 */
export function isAnonymous(deviceNumber: string): boolean {
  return deviceNumber.startsWith("0:");
}

function askDevice(system: BootSystem, name: string): BlockDevice {
  const { output } = system.run(toolCommand(system, "blkid", ["-p", "-o", "export", `/dev/${name}`]));
  const disk = diskOf(system, name);
  const isPart = [name, disk].some((one) => system.list(`${CLASS}/${one}/holders`).length > 0);
  return { name, disk, properties: parseBlkidExport(decodeText(output)), isPart };
}

/** A partition's folder in sysfs is inside its disk's. */
function diskOf(system: BootSystem, name: string): string {
  if (system.readBytes(`${CLASS}/${name}/partition`) === undefined) return name;
  return system.realPath(`${CLASS}/${name}/..`)?.split("/").at(-1) ?? name;
}
