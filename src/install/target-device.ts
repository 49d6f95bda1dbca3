/** Installing onto a whole block device, as root. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { type BlockDevice, inspectBlockDevice } from "../disk/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { largeFileDirectory, requireTools, runTool, temporaryDirectory } from "../platform/index.ts";
import type { DeviceTarget, DiskUnderConstruction, TargetOptions } from "./target.ts";

const SECTOR_BYTES = 512;
const TIMEOUT_MS = 60_000;

/**
 * Checks a block device.
 *
 * @throws SealrootError `conflict` when it is in use; `exists` when something is on it and `wipe` is not given;
 *   `unsupported` for a partition or sectors other than 512 bytes; `read-only`; `no-access`; `usage` with a size
 */
export async function checkDevice(path: string, options: TargetOptions): Promise<DeviceTarget> {
  const device = inspectBlockDevice(path);
  requireTools(["blkid", "wipefs", "blockdev"]);
  checkKind(device, options);
  closeSync(openDevice(path, "r+"));
  if (!options.wipe) await refuseContent(device);
  return { kind: "device", path: device.path, sizeBytes: device.sizeBytes, warnings: [] };
}

function checkKind(device: BlockDevice, options: TargetOptions): void {
  const { path } = device;
  const refused = (code: "conflict" | "unsupported" | "read-only" | "usage", reason: string, hint?: string) =>
    new SealrootError(code, `Cannot install to ${path}: ${reason}`, { path, ...(hint === undefined ? {} : { hint }) });
  if (device.isPartition) throw refused("unsupported", "it is a partition", "name the whole disk");
  if (device.uses.length > 0) throw refused("conflict", device.uses.join(", "), "unmount and release it first");
  if (device.isReadOnly) throw refused("read-only", "the device is read-only");
  if (device.logicalBlockBytes !== SECTOR_BYTES) {
    throw refused(
      "unsupported",
      `its sectors have ${device.logicalBlockBytes} bytes, only ${SECTOR_BYTES} are supported`,
    );
  }
  if (options.sizeBytes !== undefined) throw refused("usage", "the size of a device is given", "leave out --size");
}

/** bootc refuses only partitions (spec/host-install.md 5); a file system on the bare disk is just as precious. */
async function refuseContent(device: BlockDevice): Promise<void> {
  const { path, partitionNames } = device;
  // 2: nothing was found (blkid(8), EXIT STATUS).
  const probe = await runTool("blkid", ["--probe", path], { successCodes: [0, 2], timeoutMs: TIMEOUT_MS });
  const found =
    partitionNames.length > 0
      ? `it has partitions (${partitionNames.join(", ")})`
      : "there is a file system or table on it";
  if (partitionNames.length === 0 && probe.exitCode === 2) return;
  throw new SealrootError("exists", `Cannot install to ${path}: ${found}`, {
    path,
    hint: "give --wipe to destroy what is on it",
  });
}

/**
 * Erases the old signatures. The new partition table is written last, so an interrupted installation leaves an
 * apparently empty disk.
 */
export async function beginDevice(target: DeviceTarget): Promise<DiskUnderConstruction> {
  const { path } = target;
  const { partitionNames } = inspectBlockDevice(path);
  const partitions = partitionNames.map((name) => `/dev/${name}`);
  await runTool("wipefs", ["--all", "--force", ...partitions, path], { timeoutMs: TIMEOUT_MS });
  const directory = temporaryDirectory({ parent: largeFileDirectory(), purpose: "install" });
  return {
    disk: { directory: directory.path, path },
    publish: async () => {
      const file = openDevice(path, "r+");
      fsyncSync(file);
      closeSync(file);
      // 1: the kernel does not accept the table now (a loop device without partition scan, somebody probing). The disk
      // is complete nevertheless.
      await runTool("blockdev", ["--rereadpt", path], { successCodes: [0, 1], timeoutMs: TIMEOUT_MS });
    },
    [Symbol.dispose]: () => directory.remove(),
  };
}

function openDevice(path: string, flags: string): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw asSealrootError(error, `Cannot install to ${path}`, { path });
  }
}
