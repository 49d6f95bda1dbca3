/** What the kernel says about a block device: size, partitions, and who uses it (Documentation/ABI/stable/sysfs-block). */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { deviceNumberText, readMountTable } from "../platform/index.ts";

export interface BlockDevice {
  /** Free of symbolic links: /dev/sda. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly logicalBlockBytes: number;
  readonly isReadOnly: boolean;
  /** True for /dev/sda1. */
  readonly isPartition: boolean;
  /** Kernel names of its partitions, such as `sda1`. */
  readonly partitionNames: readonly string[];
  /** One text for each use of the device or a partition of it: "mounted on /boot", "used by dm-0", "swap". */
  readonly uses: readonly string[];
}

/** Where the kernel's views are mounted; tests use their own. */
export interface KernelViews {
  readonly sys: string;
  readonly proc: string;
}

/** Sizes in sysfs are in units of 512 bytes whatever the device's sectors are. */
const SYSFS_SECTOR_BYTES = 512;

/**
 * Describes the block device at `path`.
 * @throws SealrootError `unsupported` when it is not a block device; `not-found`
 */
export function inspectBlockDevice(path: string, views: KernelViews = { sys: "/sys", proc: "/proc" }): BlockDevice {
  const { real, number } = resolveDevice(path);
  return describeBlockDevice(real, number, views);
}

function resolveDevice(path: string): { real: string; number: string } {
  try {
    const real = realpathSync(path);
    const state = statSync(real);
    if (state.isBlockDevice()) return { real, number: deviceNumberText(state.rdev) };
  } catch (error) {
    throw asSealrootError(error, `Cannot look at the device ${path}`, { path });
  }
  throw new SealrootError("unsupported", `Cannot use ${path} as a disk: it is not a block device`, { path });
}

/**
 * As {@link inspectBlockDevice}, for a device known by its number.
 * @param number `major:minor`
 */
export function describeBlockDevice(path: string, number: string, views: KernelViews): BlockDevice {
  const folder = join(views.sys, "dev/block", number);
  if (!existsSync(folder)) {
    throw new SealrootError("not-found", `Cannot use ${path} as a disk: the kernel does not know device ${number}`, {
      path,
    });
  }
  const partitionNames = readdirSync(folder).filter((name) => existsSync(join(folder, name, "partition")));
  const parts = [
    { name: basename(path), folder },
    ...partitionNames.map((name) => ({ name, folder: join(folder, name) })),
  ];
  return {
    path,
    sizeBytes: Number(text(join(folder, "size"))) * SYSFS_SECTOR_BYTES,
    logicalBlockBytes: Number(text(join(folder, "queue/logical_block_size")) || "512"),
    isReadOnly: text(join(folder, "ro")) === "1",
    isPartition: existsSync(join(folder, "partition")),
    partitionNames: partitionNames.sort(),
    uses: parts.flatMap((part) => usesOf(part.name, part.folder, views)),
  };
}

function usesOf(name: string, folder: string, views: KernelViews): string[] {
  const number = text(join(folder, "dev"));
  const holders = existsSync(join(folder, "holders")) ? readdirSync(join(folder, "holders")) : [];
  return [
    ...holders.map((holder) => `${name} is used by ${holder}`),
    ...mountPoints(number, views).map((place) => `${name} is mounted on ${place}`),
    ...(isSwap(name, views) ? [`${name} is swap space`] : []),
  ];
}

function mountPoints(number: string, views: KernelViews): string[] {
  return readMountTable(views.proc).flatMap(({ device, mountPoint }) => (device === number ? [mountPoint] : []));
}

function isSwap(name: string, views: KernelViews): boolean {
  return text(join(views.proc, "swaps"))
    .split("\n")
    .some((line) => line.split(/\s/)[0] === `/dev/${name}`);
}

/** Content without the final newline; empty if there is no such file. */
function text(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd() : "";
}
