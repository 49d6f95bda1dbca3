/** Finding the parts of the running host: its disk, its boot directory, its boot loader. Mounts nothing that others see. */
import { closeSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BOOT_LOADER_VENDOR, parseEfivarfs, utf16Text } from "../efi/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { createMount, deviceNumberText, type MountEntry, readMountTable } from "../platform/index.ts";
import { readBootedRoot, readUsrOverlay } from "./booted-root.ts";
import type { HostProblem } from "./host.ts";
import type { BootLoaderName, HostPlaces } from "./host-places.ts";

const PHYSICAL_ROOT = "/sysroot";
const EFI_VARIABLES = "/sys/firmware/efi/efivars";

/** The running host, until it is disposed of. */
export interface OpenedHost extends Disposable {
  readonly places: HostPlaces;
  /** What could not be found; the rest can still be told. */
  readonly problems: readonly HostProblem[];
}

/**
 * Finds the running host, to be read.
 *
 * @returns undefined for a system that neither bootc nor sealroot has installed, and in a container
 * @throws SealrootError `corrupt` as readBootedRoot
 */
export function openHost(): OpenedHost | undefined {
  if (isContainer()) return undefined;
  const booted = readBootedRoot();
  if (booted === undefined) return undefined;
  const bootLoader = bootLoaderName(loaderVariable("LoaderInfo"));
  const problems: HostProblem[] = [];
  const boot = bootLoader === "grub" ? { path: join(PHYSICAL_ROOT, "boot"), close: () => {} } : tryEsp(problems);
  const physical = readMountTable().findLast(({ mountPoint }) => mountPoint === PHYSICAL_ROOT);
  return {
    places: {
      physicalRoot: PHYSICAL_ROOT,
      bootDirectory: boot?.path,
      runDirectory: "/run",
      bootLoader,
      booted,
      usrOverlay: readUsrOverlay(),
      isReadOnly: physical?.superOptions.includes("ro") ?? false,
    },
    problems,
    [Symbol.dispose]: () => boot?.close(),
  };
}

function tryEsp(problems: HostProblem[]): OpenedDirectory | undefined {
  try {
    return openEsp();
  } catch (error) {
    problems.push({ subject: "ESP", error: asSealrootError(error, "Cannot open the ESP") });
    return undefined;
  }
}

/** podman, docker and systemd-nspawn leave one of these. */
function isContainer(): boolean {
  return ["/run/.containerenv", "/.dockerenv", "/run/systemd/container"].some((path) => existsSync(path));
}

/** By what the loader says of itself (spec/host-boot.md 7); GRUB says nothing, or "GRUB". */
export function bootLoaderName(loaderInfo: string | undefined): BootLoaderName {
  const text = loaderInfo?.toLowerCase() ?? "";
  if (text.includes("systemd-boot")) return "systemd";
  return text.includes("grub cc") ? "grub-cc" : "grub";
}

/** A variable that the boot loader left (systemd.io, "The Boot Loader Interface"). */
function loaderVariable(name: string): string | undefined {
  const path = join(EFI_VARIABLES, `${name}-${BOOT_LOADER_VENDOR}`);
  try {
    return utf16Text(parseEfivarfs(readFileSync(path)).data);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw asSealrootError(error, `Cannot read the EFI variable ${name}`, { path });
  }
}

interface OpenedDirectory {
  readonly path: string;
  close(): void;
}

/**
 * The ESP that was booted from, found by its device: an automount on `/boot` or `/efi` may go away while it is used.
 * It is mounted nowhere: the descriptor is all there is of the mount.
 */
function openEsp(): OpenedDirectory {
  const uuid = loaderVariable("LoaderDevicePartUUID");
  if (uuid === undefined) {
    throw new SealrootError("not-found", "Cannot find the ESP: the boot loader did not say which it was", {
      expected: "the EFI variable LoaderDevicePartUUID",
    });
  }
  const device = `/dev/disk/by-partuuid/${uuid.toLowerCase()}`;
  const mount = mountedAt(device);
  if (mount !== undefined) return { path: mount.mountPoint, close: () => {} };
  const fd = mountReadOnly(device);
  return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
}

/** Where the device's whole file system is mounted already: one file system cannot be read-only and read-write at once. */
function mountedAt(device: string): MountEntry | undefined {
  const number = deviceNumber(device);
  return readMountTable().findLast(({ device: mounted, root }) => mounted === number && root === "/");
}

function deviceNumber(device: string): string {
  try {
    return deviceNumberText(statSync(device).rdev);
  } catch (error) {
    throw asSealrootError(error, `Cannot find the ESP ${device}`, { path: device });
  }
}

function mountReadOnly(device: string): number {
  try {
    return createMount("vfat", {
      options: [
        ["source", device],
        ["ro", true],
      ],
      readOnly: true,
    });
  } catch (error) {
    throw asSealrootError(error, "Cannot open the ESP", { path: device, hint: "run it as root" });
  }
}
