/** A host that does not run: its disk is mounted in a rescue system. */
import { closeSync, constants, existsSync, openSync } from "node:fs";
import { join, resolve } from "node:path";
import { hasGrubMenu } from "../bootloader/index.ts";
import { REPOSITORY_PATH } from "../deployment/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { tryLock } from "../platform/index.ts";
import type { HostPlaces } from "./host-places.ts";
import type { OpenedHost } from "./open-host.ts";

export interface MountedHostOptions {
  /** Where the root file system of its disk is mounted. */
  readonly sysroot: string;
  /** Where its ESP is mounted; for a host with GRUB its `/boot`, with the ESP at `efi` in it if that has the UKIs. */
  readonly esp: string;
  /** It is to be changed: nobody else changes it meanwhile. */
  readonly write: boolean;
}

/**
 * @throws SealrootError `not-found` when there is no host in these places; `conflict` when another process changes it
 */
export function openMountedHost({ sysroot, esp, write }: MountedHostOptions): OpenedHost {
  const physicalRoot = resolve(sysroot);
  const bootDirectory = resolve(esp);
  for (const [option, path] of [
    ["--sysroot", join(physicalRoot, REPOSITORY_PATH)],
    ["--sysroot", join(physicalRoot, "state/deploy")],
    ["--esp", join(bootDirectory, "loader")],
  ] as const) {
    if (existsSync(path) || (option === "--esp" && hasGrubMenu(bootDirectory, "grub"))) continue;
    const hint = "--sysroot is where the root file system of the disk is mounted, --esp where its ESP is";
    throw new SealrootError("not-found", `Cannot find a host in ${option}: there is no ${path}`, { path, hint });
  }
  using opened = new DisposableStack();
  if (write) opened.use(lockDirectory(physicalRoot));
  const kept = opened.move();
  const isSystemdBoot = ["systemd", "Linux"].some((name) => existsSync(join(bootDirectory, "EFI", name)));
  const places: HostPlaces = {
    ...{ physicalRoot, bootDirectory, booted: undefined, usrOverlay: undefined, isReadOnly: false },
    // What a running system has there is gone.
    runDirectory: join(physicalRoot, "run"),
    bootLoader: isSystemdBoot ? "systemd" : "grub",
    // Where it is mounted on every system with GRUB.
    ...(isSystemdBoot ? {} : { espDirectory: join(bootDirectory, "efi") }),
  };
  return { places, problems: [], [Symbol.dispose]: () => kept.dispose() };
}

function lockDirectory(path: string): Disposable {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw asSealrootError(error, "Cannot lock the host", { path });
  }
  if (tryLock(fd, "exclusive")) return { [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  throw new SealrootError("conflict", "Cannot change this host: another process is changing it", {
    path,
    hint: "wait until it is done",
  });
}
