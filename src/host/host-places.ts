/** Where the parts of a host are. Everything else in this room takes them from here, so that a folder can be a host. */
import type { MenuOrder } from "../bootloader/index.ts";
import type { BootedRoot, UsrOverlay } from "./booted-root.ts";

/** As bootc calls them. */
export type BootLoaderName = "grub" | "grub-cc" | "systemd" | "none";

export interface HostPlaces {
  /** The root of the disk: `/sysroot` on a running system. */
  readonly physicalRoot: string;
  /** Holds `loader/` and, with systemd-boot, `EFI/`; undefined where it could not be found. */
  readonly bootDirectory: string | undefined;
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
