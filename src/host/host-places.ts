/** Where the parts of a host are. Everything else in this room takes them from here, so that a folder can be a host. */
import { join } from "node:path";
import type { MenuOrder } from "../bootloader/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { BootedRoot, UsrOverlay } from "./booted-root.ts";

/** As bootc calls them. */
export type BootLoaderName = "grub" | "grub-cc" | "systemd" | "none";

export interface HostPlaces {
  /** The root of the disk: `/sysroot` on a running system. */
  readonly physicalRoot: string;
  /** Holds `loader/` and, with systemd-boot, `EFI/`; undefined where it could not be found. */
  readonly bootDirectory: string | undefined;
  /** The ESP of a host with GRUB, whose UKIs are there; for other boot loaders it is the boot directory. */
  readonly espDirectory?: string | undefined;
  /** `/run` */
  readonly runDirectory: string;
  readonly bootLoader: BootLoaderName;
  /** The firmware's variables; undefined where there are none of this host. */
  readonly efiVariables?: string;
  /** The live `/etc`, where the kernel has loaded an SELinux policy from it; undefined without SELinux. */
  readonly selinuxEtc?: string;
  /** Undefined: looked at from outside, nothing of it runs. */
  readonly booted: BootedRoot | undefined;
  readonly usrOverlay: UsrOverlay | undefined;
  /** The disk cannot be written to, such as a live medium. */
  readonly isReadOnly: boolean;
}

/** How a boot loader sorts its entries; bootc counts grub-cc's with GRUB's (spec/host.md 1.6). */
export function menuOrder(bootLoader: BootLoaderName): MenuOrder {
  return bootLoader === "systemd" || bootLoader === "none" ? "systemd-boot" : "grub";
}

/** Where a boot file is: a directory, and the path below it. */
export interface BootFilePlace {
  readonly directory: string;
  readonly path: string;
}

/**
 * The place of a boot file. With GRUB, UKIs and add-ons are on the ESP, and what entries say of kernels is absolute in the
 * file system that holds `/boot` (spec/host.md 1.5).
 *
 * @param path as an entry or a plan names it, absolute or not
 * @returns undefined when its directory could not be found
 */
export function placeOfBootFile(
  { bootDirectory, espDirectory, bootLoader }: HostPlaces,
  path: string,
): BootFilePlace | undefined {
  const relative = path.replace(/^\/+/, "");
  const isOfEsp = bootLoader !== "grub" || /^(?:EFI|loader\/addons)(?:\/|$)/i.test(relative);
  const directory = bootLoader === "grub" && isOfEsp ? espDirectory : bootDirectory;
  if (directory === undefined) return undefined;
  return { directory, path: isOfEsp ? relative : relative.replace(/^boot\//, "") };
}

/** The ESP, where UKIs and their add-ons are; undefined when it could not be found. */
export function espOf(places: HostPlaces): string | undefined {
  return placeOfBootFile(places, "EFI")?.directory;
}

/**
 * As {@link espOf}.
 * @param purpose as in the error: "list add-ons"
 * @throws SealrootError `not-found`
 */
export function requireEsp(places: HostPlaces, purpose: string): string {
  const esp = espOf(places);
  if (esp !== undefined) return esp;
  throw new SealrootError("not-found", `Cannot ${purpose}: the ESP of this host was not found`, {
    hint: "sealroot status says what is wrong with the ESP",
  });
}

/** As {@link placeOfBootFile}, as one path. @throws SealrootError `not-found` */
export function bootFilePath(places: HostPlaces, path: string): string {
  const place = placeOfBootFile(places, path);
  if (place !== undefined) return join(place.directory, place.path);
  throw new SealrootError("not-found", `Cannot find ${path}: the ESP of this host was not found`, {
    hint: "sealroot status says what is wrong with the ESP",
  });
}
