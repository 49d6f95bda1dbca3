/** What an image brings along for booting it: UKIs, add-ons and Secure Boot keys, and where they stand in it. */
import { SealrootError } from "../errors/index.ts";
import type { EfiArchitecture } from "../pe/index.ts";
import { directoriesAt, hasFileAt, leavesBelow, type NodeFinder, namesAt, requirePlainFile } from "../tree/index.ts";
import type { EnrolmentFile, UkiAddon } from "./esp-layout.ts";

/** Where a sealed image keeps its UKI and add-ons (spec/host-install.md 8.5). */
export const IMAGE_UKI_FOLDER = "/boot/EFI/Linux";
/** Kernels and their modules, a folder each. */
export const IMAGE_KERNELS_FOLDER = "/usr/lib/modules";
/** Folders of enrolment files (spec/host-install.md 8.9). */
export const IMAGE_KEYS_FOLDER = "/usr/lib/bootc/install/secureboot-keys";

const LOADER_FOLDER = "/usr/lib/systemd/boot/efi";
const ADDON_SUFFIX = ".addon.efi";

/** Reads an image's files. */
export interface ImageReader extends NodeFinder {
  /** @throws SealrootError `not-found` when there is no regular file */
  read(path: string): Uint8Array;
}

/**
 * Paths of the UKIs of an image: in the folder for them, and beside the kernels, whose folders count when they are no
 * links (spec/host-install.md 8.5). Add-ons are left out.
 * @throws SealrootError `unsupported` for something else in the place of a folder or a UKI
 */
export function findUkis(image: NodeFinder): string[] {
  const folders = [IMAGE_UKI_FOLDER, ...directoriesAt(image, IMAGE_KERNELS_FOLDER)];
  const isBeside = (folder: string) => folder !== IMAGE_UKI_FOLDER;
  const paths = folders.flatMap((folder) =>
    isBeside(folder) ? namesAt(image, folder).map((name) => `${folder}/${name}`) : leavesBelow(image, folder),
  );
  const ukis = paths.filter((path) => path.endsWith(".efi") && !path.endsWith(ADDON_SUFFIX));
  for (const path of ukis) requirePlainFile(image, path);
  return ukis;
}

/**
 * Path of the boot loader that is installed: the signed one, or the plain one where there is no signed one; undefined
 * without either.
 * @throws SealrootError `unsupported` for something else in its place
 */
export function findLoader(image: NodeFinder, architecture: EfiArchitecture): string | undefined {
  const path = `${LOADER_FOLDER}/systemd-boot${architecture}.efi`;
  return [`${path}.signed`, path].find((candidate) => hasFileAt(image, candidate));
}

/**
 * The add-ons of these names.
 * @throws SealrootError `not-found` for one that the image does not have, `unsupported` as {@link findUkis}
 */
export function findAddons(image: ImageReader, names: readonly string[]): UkiAddon[] {
  const paths = names.length === 0 ? [] : leavesBelow(image, IMAGE_UKI_FOLDER);
  return names.map((name) => {
    const path = paths.find((candidate) => candidate.endsWith(`/${name}${ADDON_SUFFIX}`));
    if (path === undefined) {
      const what = `Cannot install the add-on ${name}: the image has no ${name}${ADDON_SUFFIX}`;
      throw new SealrootError("not-found", what, { path: IMAGE_UKI_FOLDER });
    }
    requirePlainFile(image, path);
    return { name, bytes: image.read(path) };
  });
}

/**
 * The enrolment files of an image: every `.auth` of every folder.
 * @throws SealrootError `unsupported` for something else than a folder or a file in one of the places
 */
export function findEnrolmentFiles(image: ImageReader): EnrolmentFile[] {
  return namesAt(image, IMAGE_KEYS_FOLDER).flatMap((folder) => {
    const path = `${IMAGE_KEYS_FOLDER}/${folder}`;
    const names = namesAt(image, path).filter((name) => name.endsWith(".auth") && hasFileAt(image, `${path}/${name}`));
    return names.map((name) => ({ folder, name, bytes: image.read(`${path}/${name}`) }));
  });
}
