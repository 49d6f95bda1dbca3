/** An image mounted by the kernel: its EROFS image below, the objects as data, an overlay that joins them (spec/repository.md 8). */

import { closeSync, constants, openSync, realpathSync } from "node:fs";
import { toHex } from "../../bytes/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { requireDigest } from "../../objects/index.ts";
import { attachMount, createMount, measureVerity, withAttached } from "../../platform/index.ts";
import { ALGORITHM_NUMBER, type VerityAlgorithm, verityDigest } from "../../verity/index.ts";
import type { LinkEntry } from "../link-store.ts";
import type { Repository } from "../repository.ts";
import { requireOwnName } from "./stored-tree.ts";

export interface MountImageOptions {
  /** What is written goes here; `workPath` is a directory of the same file system that overlayfs uses. */
  readonly upper?: { readonly upperPath: string; readonly workPath: string };
  /** False: nothing can be written, even with an upper directory. */
  readonly readWrite: boolean;
  /**
   * The kernel must vouch for the image, and for every object, whatever the repository says of itself: its settings are on
   * the disk, where anyone who has it can change them.
   */
  readonly requireVerity?: boolean;
}

/**
 * Mounts an image on a directory.
 *
 * The digest of the image is its name, according to the kernel in a secure repository, computed here in any other. In a
 * secure repository the overlay demands fs-verity with the digest that the image states for every object that is opened
 * (`verity=require`); an insecure one is mounted without, even if the image was named by a reference, where the
 * reference tool demands what the file system may lack (spec/repository.md 5).
 *
 * @throws SealrootError `no-access` when root is needed; `unsupported` if the kernel lacks something; `corrupt`,
 *   `untrusted` for the image
 */
export function mountImage(repository: Repository, image: LinkEntry, path: string, options: MountImageOptions): void {
  const action = `Cannot mount image ${image.entry} on ${path}`;
  requireOwnName(image);
  using object = repository.objects.open(image.objectId);
  if (options.requireVerity === true) requireVerity(image.objectId, object.fd, repository.algorithm);
  const isSecure = options.requireVerity === true || repository.protection === "secure";
  if (!isSecure) requireDigest(image.objectId, verityDigest(object.bytes(), repository.algorithm));
  const opened = new Descriptors();
  try {
    const target = realpathSync(path);
    const erofs = opened.keep(createMount("erofs", { options: erofsOptions(object.fd), readOnly: true }));
    const objects = opened.directory(repository.objects.settings.directory);
    const upper = options.upper && {
      upperFd: opened.directory(options.upper.upperPath),
      workFd: opened.directory(options.upper.workPath),
    };
    const overlay = withAttached(erofs, (imageFd) =>
      createMount("overlay", {
        options: overlayOptions(image.entry, isSecure, { imageFd, objectsFd: objects, ...upper }),
        readOnly: !options.readWrite,
      }),
    );
    attachMount(opened.keep(overlay), target);
  } catch (error) {
    throw mountError(error, action);
  } finally {
    opened.close();
  }
}

function requireVerity(objectId: string, fd: number, algorithm: VerityAlgorithm): void {
  const measured = measureVerity(fd);
  const isVouched =
    measured.state === "enabled" &&
    measured.algorithmNumber === ALGORITHM_NUMBER[algorithm] &&
    toHex(measured.digest) === objectId;
  if (isVouched) return;
  throw new SealrootError("untrusted", `Cannot mount image ${objectId}: fs-verity does not vouch for it`, {
    expected: objectId,
    actual: measured.state === "enabled" ? toHex(measured.digest) : `fs-verity is ${measured.state}`,
    hint: "the sealed command line demands it, so that this system would not boot either",
  });
}

type MountOptions = readonly (readonly [key: string, value: string | true])[];

interface LayerDescriptors {
  readonly imageFd: number;
  readonly objectsFd: number;
  readonly upperFd?: number;
  readonly workFd?: number;
}

/** The opened file, not its name: what was measured is what is mounted. */
function erofsOptions(imageFd: number): MountOptions {
  return [
    ["ro", true],
    ["source", descriptorPath(imageFd)],
  ];
}

function overlayOptions(imageId: string, requireVerity: boolean, layers: LayerDescriptors): MountOptions {
  const { imageFd, objectsFd, upperFd, workFd } = layers;
  return [
    ["source", `composefs:${imageId}`],
    ["metacopy", "on"],
    ["redirect_dir", "on"],
    ...(requireVerity ? ([["verity", "require"]] as const) : []),
    ...(upperFd === undefined ? [] : ([["upperdir", descriptorPath(upperFd)]] as const)),
    ...(workFd === undefined ? [] : ([["workdir", descriptorPath(workFd)]] as const)),
    // "::" begins the data-only layers (Documentation/filesystems/overlayfs.rst).
    ["lowerdir", `${descriptorPath(imageFd)}::${descriptorPath(objectsFd)}`],
  ];
}

/** Paths by descriptor need no escapes and cannot be swapped. */
function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Descriptors that are closed together. */
class Descriptors {
  readonly #open: number[] = [];

  keep(fd: number): number {
    this.#open.push(fd);
    return fd;
  }

  directory(path: string): number {
    return this.keep(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  close(): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
  }
}

function mountError(error: unknown, action: string): SealrootError {
  if (hasErrno(error, "EPERM")) {
    return asSealrootError(error, action, {
      hint: "mounting needs root; sealroot repo extract and sealroot repo cat-file do not",
    });
  }
  if (hasErrno(error, "ENODEV", "ENOTBLK")) {
    const reason = hasErrno(error, "ENODEV")
      ? "this kernel has no EROFS or no overlayfs"
      : "this kernel cannot mount EROFS from a file of the repository's file system";
    const hint = "Linux 6.12 can, from ext4, btrfs and xfs, with EROFS_FS_BACKED_BY_FILE and OVERLAY_FS";
    return new SealrootError("unsupported", `${action}: ${reason}`, { hint }, error);
  }
  return asSealrootError(error, action);
}
