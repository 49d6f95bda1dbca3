/** What deployments boot with, compared with their images: UKI and add-ons, or kernel and initramfs, and origin files. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ukiPath } from "../bls/index.ts";
import { ADDON_SUFFIX } from "../bootimage/index.ts";
import { addonFolder, writeEspFile } from "../bootloader/index.ts";
import { originPath, setBootDigest } from "../deployment/index.ts";
import { asSealrootError, hasErrno, reasonOf, SealrootError } from "../errors/index.ts";
import { type HostPlaces, placeOfBootFile } from "../host/index.ts";
import { namesInIfReadable } from "../platform/index.ts";
import { type MendableFault, onEsp } from "./fault.ts";
import type { ImageBootFiles, ImageFile } from "./image-boot-files.ts";
import type { KeptDeployment } from "./kept-deployments.ts";

export interface BootFilesCheck {
  readonly faults: readonly MendableFault[];
  /** Files that were compared. */
  readonly checked: number;
}

/** A file in its place on the ESP, and where the image has it. */
interface PlacedFile {
  readonly path: string;
  readonly source: ImageFile | undefined;
}

/**
 * @param image undefined when the repository cannot say what the files must be: then only whether they are there is seen
 */
export function checkBootFiles(
  places: HostPlaces,
  deployment: KeptDeployment,
  image: ImageBootFiles | undefined,
): BootFilesCheck {
  const files = placedFiles(places, deployment, image);
  if (placeOfBootFile(places, files[0]?.path ?? "") === undefined) return { faults: [], checked: 0 };
  const faults = files.flatMap((file) => checkFile(places, deployment, file));
  return { faults: [...faults, ...checkBootDigest(places, deployment, image)], checked: files.length };
}

function placedFiles(
  places: HostPlaces,
  { deploymentId, entry, record }: KeptDeployment,
  image: ImageBootFiles | undefined,
): PlacedFile[] {
  const target = entry?.entry.target;
  if (target?.type === "linux") {
    const [initrd, ...more] = target.initrd;
    const files = [{ path: target.linux, source: image?.kernel?.linux }];
    // Of several, the image has made none by itself.
    return initrd === undefined || more.length > 0
      ? files
      : [...files, { path: initrd, source: image?.kernel?.initrd }];
  }
  if (target === undefined && record?.origin.bootType !== "uki") return [];
  const path = target?.path ?? ukiPath(deploymentId);
  const place = placeOfBootFile(places, addonFolder(path));
  const folder = place && join(place.directory, place.path);
  const names = folder === undefined ? [] : namesInIfReadable(folder).filter((name) => name.endsWith(ADDON_SUFFIX));
  const addons = names.map((name) => ({ path: `${addonFolder(path)}/${name}`, source: image?.addons.get(name) }));
  // Add-ons that the image does not have are the administrator's.
  return [{ path, source: image?.uki }, ...addons.filter(({ source }) => source !== undefined)];
}

function checkFile(places: HostPlaces, deployment: KeptDeployment, { path, source }: PlacedFile): MendableFault[] {
  const place = placeOfBootFile(places, path);
  if (place === undefined) return [];
  const { deploymentId, record } = deployment;
  const fault = (kind: "boot-file-missing" | "boot-file-damaged", detail: string | undefined): MendableFault[] => [
    {
      ...{ kind, subject: onEsp(path), detail, deployments: [deploymentId] },
      repairable: record?.origin.manifestDigest !== undefined,
      mend: source && (() => writeEspFile(place.directory, { path: place.path, bytes: source.read() })),
    },
  ];
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(place.directory, place.path));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return fault("boot-file-missing", undefined);
    return fault("boot-file-damaged", reasonOf(error));
  }
  if (source === undefined || source.isSame(bytes)) return [];
  return fault("boot-file-damaged", `it is not ${source.path} of the image`);
}

function checkBootDigest(
  { physicalRoot }: HostPlaces,
  { deploymentId, record }: KeptDeployment,
  image: ImageBootFiles | undefined,
): MendableFault[] {
  const stated = record?.origin.bootDigest;
  if (image === undefined || stated === undefined) return [];
  const subject = originPath(deploymentId);
  try {
    const digests = image.bootDigests();
    if (digests.includes(stated)) return [];
    const [actual] = digests;
    return [
      {
        ...{ kind: "origin-boot-digest", subject, detail: `it states ${stated}, the image has ${actual}` },
        ...{ deployments: [deploymentId], repairable: true },
        mend: () => void setBootDigest(physicalRoot, deploymentId, actual),
      },
    ];
  } catch (error) {
    // The object of the UKI is damaged, which is found elsewhere.
    if (error instanceof SealrootError) return [];
    throw asSealrootError(error, "Cannot compute the boot digest", { path: subject });
  }
}
