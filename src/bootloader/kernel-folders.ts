/**
 * Folders of kernel and initramfs in a boot directory. Deployments with the same boot digest share one: an update that
 * leaves the kernel alone writes nothing here (spec/host.md 1.6).
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { INITRAMFS_FILE, isKernelFolderName, KERNEL_FILE } from "../bls/index.ts";
import type { Type1Files } from "../bootimage/index.ts";
import { asSealrootError, hasErrno } from "../errors/index.ts";

/**
 * The name of a folder that holds exactly these files, the first by name; undefined without one. The files themselves are
 * compared, not what somebody wrote down about them: an entry that names them boots them.
 *
 * @param directory that holds the folders; one that is absent has none
 * @throws SealrootError when a folder cannot be read; one that lacks a file is passed over
 */
export function findKernelFolder(directory: string, files: Type1Files): string | undefined {
  return folderNames(directory).find(
    (name) =>
      holds(join(directory, name, KERNEL_FILE), files.kernel) &&
      holds(join(directory, name, INITRAMFS_FILE), files.initramfs),
  );
}

function folderNames(directory: string): string[] {
  try {
    return readdirSync(directory).filter(isKernelFolderName).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw asSealrootError(error, "Cannot list the kernels of this host", { path: directory });
  }
}

function holds(path: string, bytes: Uint8Array): boolean {
  try {
    const { size } = statSync(path);
    return size === bytes.length && readFileSync(path).equals(bytes);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw asSealrootError(error, "Cannot read a kernel of this host", { path });
  }
}
