/**
 * Takes the kernel out of an image, ahead of sealing it: what is inside the UKI need not be beside it, and must not be
 * under the digest (bootc 1.17, `split_kernel` in kernel.rs; spec/host-build.md 1).
 */
import { copyFileSync, fchmodSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { KERNEL_COMPANIONS, kernelFolder } from "../bootimage/index.ts";
import { type ByteString, byteStringOfText } from "../bytes/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { setModificationTime, syncDirectory, temporaryFile } from "../platform/index.ts";
import { hasFileAt, lookupPath, type Metadata } from "../tree/index.ts";
import { findImageKernel } from "./image-kernel.ts";
import type { RootDirectory } from "./root-directory.ts";

const ACTION = "Cannot take the kernel out of the image";
/** They get the time of `/usr` in the boot variant, each version of composefs-rs in its own way. */
const BOOT_DIRECTORIES = ["/boot", "/sysroot"];

export interface SplitKernel {
  /** The kernel's release. */
  readonly version: string;
  /** The folder of that name that holds what was moved. */
  readonly directory: string;
  /** The names of the files in it that were moved. */
  readonly files: readonly string[];
}

/**
 * Moves kernel, initramfs and what belongs to the kernel to `OUTPUT/VERSION/`, to another file system too.
 *
 * The times of the directories stay what they were before, and `/boot` and `/sysroot` get that of `/usr`: then the image
 * has the digest that `seal` gives it, by the rules of every version (spec/upstream-1.17.md 2a). The kernel goes last, so
 * that what was interrupted can be run again.
 *
 * @throws SealrootError `not-found` without a kernel, `unsupported` for a UKI; `no-access`, `no-space`
 */
export function splitKernel(directory: RootDirectory, output: string): SplitKernel {
  const kernel = findImageKernel(directory);
  if (kernel === undefined) {
    throw new SealrootError("not-found", `${ACTION}: No kernel found in rootfs`, {
      path: directory.path,
      expected: "/usr/lib/modules/VERSION/vmlinuz",
    });
  }
  if (kernel.type !== "vmlinuz") {
    throw new SealrootError("unsupported", `${ACTION}: UKIs are not supported (${kernel.path})`, {
      path: kernel.path,
      hint: "split the image that the sealed one was made from",
    });
  }
  const folder = kernelFolder(kernel.version);
  const names = ["initramfs.img", ...KERNEL_COMPANIONS].filter((name) =>
    hasFileAt(directory.files, `${folder}/${name}`),
  );
  const target = join(output, kernel.version);
  const before = directory.files.resolve(folder);
  if (before === undefined) throw new Error("unreachable: the kernel was found there");
  const times = { ...before.node.metadata };
  const files = [...names, "vmlinuz"];
  try {
    mkdirSync(target, { recursive: true });
    for (const name of files) {
      move(directory.placeOf(byteStringOfText(`${before.path}/${name}`)), join(target, name));
    }
    syncDirectory(target);
    setTime(directory, byteStringOfText(before.path), times);
    alignBootDirectories(directory);
  } catch (error) {
    throw asSealrootError(error, ACTION, { path: target });
  }
  return { version: kernel.version, directory: target, files };
}

/** The target has its name only when it is whole. */
function move(from: Buffer, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!hasErrno(error, "EXDEV")) throw error;
    using draft = temporaryFile({ parent: dirname(to), purpose: "kernel" });
    copyFileSync(from, draft.path);
    fchmodSync(draft.fd, 0o644);
    renameSync(draft.path, to);
    rmSync(from);
  }
}

function alignBootDirectories(directory: RootDirectory): void {
  const usr = lookupPath(directory.root, byteStringOfText("/usr"));
  if (usr === undefined) return;
  for (const path of BOOT_DIRECTORIES.map(byteStringOfText)) {
    if (lookupPath(directory.root, path)?.kind === "directory") setTime(directory, path, usr.metadata);
  }
}

function setTime(directory: RootDirectory, path: ByteString, { mtimeSeconds, mtimeNanoseconds }: Metadata): void {
  setModificationTime(directory.placeOf(path), mtimeSeconds, mtimeNanoseconds);
}
