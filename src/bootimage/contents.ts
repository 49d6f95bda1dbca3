/** Finds what an image contains for booting it: kernels, UKIs, boot loader and Secure Boot keys. */
import { SealrootError } from "../errors/index.ts";
import type { EfiArchitecture } from "../pe/index.ts";
import {
  directoriesAt,
  hasFileAt,
  leavesBelow,
  type NodeFinder,
  namesAt,
  requirePlainFile,
  type TreeFiles,
} from "../tree/index.ts";
import { ADDON_SUFFIX } from "./addons.ts";
import {
  attachedLoaderPath,
  ENROLMENT_FOLDER,
  enrolmentPath,
  KERNELS_FOLDER,
  kernelPath,
  loaderPath,
  signedLoaderPath,
  UKI_FOLDER,
} from "./layout.ts";

/** A Secure Boot enrolment file: `<folder>/<name>` among the image's keys, `loader/keys/<folder>/<name>` in an ESP. */
export interface EnrolmentFile {
  readonly folder: string;
  /** `PK.auth`, `KEK.auth` or `db.auth`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Paths of the UKIs of an image: in the folder for them, and beside the kernels, whose folders count unless they are
 * links (spec/host-install.md 8.5). Add-ons are left out.
 * @throws SealrootError `unsupported` for something else in the place of a folder or a UKI
 */
export function findUkis(image: NodeFinder): string[] {
  const folders = [UKI_FOLDER, ...directoriesAt(image, KERNELS_FOLDER)];
  const isBeside = (folder: string) => folder !== UKI_FOLDER;
  const paths = folders.flatMap((folder) =>
    isBeside(folder) ? namesAt(image, folder).map((name) => `${folder}/${name}`) : leavesBelow(image, folder),
  );
  const ukis = paths.filter((path) => path.endsWith(".efi") && !path.endsWith(ADDON_SUFFIX));
  for (const path of ukis) requirePlainFile(image, path);
  return ukis;
}

/**
 * Path of the boot loader that is installed: the one attached after sealing, the signed one, or the plain one; undefined without
 * any.
 * @throws SealrootError `unsupported` for something else in its place
 */
export function findLoader(image: NodeFinder, architecture: EfiArchitecture): string | undefined {
  const candidates = [attachedLoaderPath, signedLoaderPath, loaderPath].map((pathOf) => pathOf(architecture));
  return candidates.find((candidate) => hasFileAt(image, candidate));
}

/**
 * As {@link findLoader}.
 * @throws SealrootError `unsupported` without one, too
 */
export function requireLoader(image: TreeFiles, architecture: EfiArchitecture): string {
  const found = findLoader(image, architecture);
  if (found !== undefined) return found;
  const path = signedLoaderPath(architecture);
  throw new SealrootError("unsupported", `Cannot install the image: it has no systemd-boot (${path})`, {
    path,
    hint: "install the package that has it in the image (Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned)",
  });
}

/**
 * The enrolment files of an image: every `.auth` of every folder.
 * @throws SealrootError `unsupported` for anything but a folder or a file in one of the places
 */
export function findEnrolmentFiles(image: TreeFiles): EnrolmentFile[] {
  return namesAt(image, ENROLMENT_FOLDER).flatMap((folder) => {
    const names = namesAt(image, `${ENROLMENT_FOLDER}/${folder}`).filter((name) => name.endsWith(".auth"));
    return names
      .map((name) => ({ folder, name, path: enrolmentPath(folder, name) }))
      .filter(({ path }) => hasFileAt(image, path))
      .map(({ path, ...file }) => ({ ...file, bytes: image.read(path) }));
  });
}

/**
 * The releases of the kernels of an image. Links beside their folders, such as `current`, are ignored, as in bootc
 * (spec/host-install.md 8.5).
 * @throws SealrootError `unsupported` for something else in the place of a folder or a kernel
 */
export function findKernelReleases(image: NodeFinder): string[] {
  return directoriesAt(image, KERNELS_FOLDER)
    .map((folder) => folder.slice(folder.lastIndexOf("/") + 1))
    .filter((release) => hasFileAt(image, kernelPath(release)));
}

/**
 * Path of an image that boots the Android way, from slots of the disk: `/boot/aboot-VERSION.img`
 * (bootc-experimental-composefs-aboot(7)).
 * @throws SealrootError `unsupported` for something else in the place of `/boot`
 */
export function findAndroidImage(image: NodeFinder): string | undefined {
  const name = namesAt(image, "/boot").find((candidate) => /^aboot-.+\.img$/s.test(candidate));
  return name === undefined ? undefined : `/boot/${name}`;
}
