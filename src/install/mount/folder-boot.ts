/** The boot files of an installed disk whose root is mounted somewhere: its `/boot`, and its ESP wherever that is. */
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { BootFiles } from "../../bootloader/index.ts";
import { PARTITION_TYPE, readDiskPartitions } from "../../disk/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { cloneMount, createMount, type MountEntry, namesIn, readMountTable } from "../../platform/index.ts";

/** Can be used until it is disposed of. */
export interface OpenedFolder extends Disposable {
  readonly path: string;
}

const SYS_BLOCK = "/sys/dev/block";
/** Where the ESP is mounted below the root, in bootc's order. */
const ESP_PLACES = ["efi", "boot/efi"];

/** Boot files in a directory. */
export function folderFiles(folder: string): BootFiles {
  return {
    list: (path) => namesIn(join(folder, path)),
    read: (path, limitBytes) => readIfThere(join(folder, path), limitBytes),
  };
}

function readIfThere(path: string, limitBytes: number): Uint8Array | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
  try {
    const state = fstatSync(fd);
    if (state.isFile() && state.size <= limitBytes) return readFileSync(fd);
    throw new SealrootError("unsupported", `Cannot read ${path}: it is not a file of at most ${limitBytes} bytes`, {
      path,
    });
  } finally {
    closeSync(fd);
  }
}

/**
 * The ESP of the disk: the given one, or what is mounted at `efi` or `boot/efi` of the root, or that of the block device
 * behind the root, which is then mounted where nobody sees it.
 *
 * @param sysroot free of links
 * @returns undefined when there is none, as on a machine without UEFI
 */
export async function openEspOf(sysroot: string, given: string | undefined): Promise<OpenedFolder | undefined> {
  if (given !== undefined) return plainFolder(given);
  const mounts = readMountTable();
  const place = ESP_PLACES.map((name) => join(sysroot, name)).find((path) =>
    mounts.some(({ mountPoint }) => mountPoint === path),
  );
  if (place !== undefined) return plainFolder(place);
  const root = mountOf(sysroot, mounts);
  const number = root && (await espBeside(root.device));
  return number === undefined ? undefined : openDevice(number, mounts);
}

function plainFolder(path: string): OpenedFolder {
  try {
    return { path: realpathSync(path), [Symbol.dispose]: () => {} };
  } catch (error) {
    throw asSealrootError(error, "Cannot open the ESP", { path });
  }
}

/** The mount that a directory is in: the last one of the longest name. */
function mountOf(path: string, mounts: readonly MountEntry[]): MountEntry | undefined {
  const above = mounts.filter(({ mountPoint }) => mountPoint === "/" || `${path}/`.startsWith(`${mountPoint}/`));
  const length = Math.max(...above.map(({ mountPoint }) => mountPoint.length));
  return above.findLast(({ mountPoint }) => mountPoint.length === length);
}

/** A partition as the kernel names it. */
interface KernelPartition {
  /** `major:minor` */
  readonly number: string;
  readonly device: string;
}

/** The ESP on the same disk as a partition, also below a device mapper such as LUKS. */
async function espBeside(number: string): Promise<KernelPartition | undefined> {
  const folder = realFolder(join(SYS_BLOCK, number));
  if (folder === undefined) return undefined;
  const slaves = namesIn(join(folder, "slaves"));
  if (slaves[0] !== undefined) return espBeside(contentOf(join(folder, "slaves", slaves[0], "dev")));
  if (!namesIn(folder).includes("partition")) return undefined;
  const disk = dirname(folder);
  const { partitions } = await readDiskPartitions(join("/dev", basename(disk)));
  const esp = partitions.find(({ typeGuid }) => typeGuid === PARTITION_TYPE.efiSystem);
  const name = namesIn(disk).find(
    (one) => esp !== undefined && contentOf(join(disk, one, "partition")) === String(esp.number),
  );
  return name === undefined ? undefined : { number: contentOf(join(disk, name, "dev")), device: join("/dev", name) };
}

function openDevice({ number, device }: KernelPartition, mounts: readonly MountEntry[]): OpenedFolder {
  const mounted = mounts.findLast((mount) => mount.device === number && mount.root === "/");
  try {
    // One file system cannot be read-only and writable at once, so a mount that is there is used.
    const fd =
      mounted === undefined
        ? createMount("vfat", {
            options: [
              ["source", device],
              ["ro", true],
            ],
            readOnly: true,
          })
        : cloneMount(mounted.mountPoint);
    return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    throw asSealrootError(error, `Cannot open the ESP ${device}`, {
      path: device,
      hint: "name a mounted one with --esp",
    });
  }
}

function realFolder(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    // File systems of several devices, such as btrfs, have numbers that no device has.
    if (hasErrno(error, "ENOENT")) return undefined;
    throw asSealrootError(error, "Cannot find the disk", { path });
  }
}

/** Without the final newline; empty if there is no such file. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return "";
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}
