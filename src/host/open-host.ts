/** Finding the parts of the running host: its disk, its boot directory, its boot loader. Mounts nothing that others see. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hasGrubMenu } from "../bootloader/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { readMountTable } from "../platform/index.ts";
import { readBootedRoot, readUsrOverlay } from "./booted-root.ts";
import { EFI_VARIABLES, loaderVariable } from "./firmware.ts";
import type { HostProblem } from "./host.ts";
import { lockHost } from "./host-lock.ts";
import type { BootLoaderName, HostPlaces } from "./host-places.ts";
import { type OpenedDirectory, openEsp, openPhysicalRoot } from "./open-places.ts";

const PHYSICAL_ROOT = "/sysroot";
const RUN = "/run";
/** There while a policy is loaded (selinuxfs). */
const SELINUX = "/sys/fs/selinux/policy";

/** The running host, until it is disposed of. */
export interface OpenedHost extends Disposable {
  readonly places: HostPlaces;
  /** What could not be found; the rest can still be told. */
  readonly problems: readonly HostProblem[];
}

export interface OpenHostOptions {
  /**
   * The host is to be changed: its parts are writable, and nobody else changes it meanwhile. What others see stays as
   * it is; `/sysroot` remains read-only.
   */
  readonly write?: boolean;
}

/**
 * Finds the running host.
 *
 * @returns undefined for a system that neither bootc nor sealroot has installed, and in a container
 * @throws SealrootError `corrupt` as readBootedRoot; to be written to also `conflict` when another process changes the
 *   host, `read-only` for a disk that cannot be written to, `no-access`, and what is wrong with the ESP
 */
export function openHost({ write = false }: OpenHostOptions = {}): OpenedHost | undefined {
  if (isContainer()) return undefined;
  const booted = readBootedRoot();
  if (booted === undefined) return undefined;
  const physical = readMountTable().findLast(({ mountPoint }) => mountPoint === PHYSICAL_ROOT);
  const isReadOnly = physical?.superOptions.includes("ro") ?? false;
  if (write && isReadOnly) throw readOnlyDisk();
  const bootLoader = bootLoaderName(loaderVariable("LoaderInfo"));
  const problems: HostProblem[] = [];
  using opened = new DisposableStack();
  if (write) opened.use(lockHost(RUN));
  const root = write ? openPhysicalRoot(PHYSICAL_ROOT) : { path: PHYSICAL_ROOT, close: () => {} };
  opened.defer(root.close);
  const openBoot = (): OpenedDirectory =>
    bootLoader === "grub" ? { path: join(root.path, "boot"), close: () => {} } : openEsp({ write });
  const boot = write ? openBoot() : tryOpen(openBoot, problems);
  if (boot !== undefined) opened.defer(boot.close);
  const openUkis = (): OpenedDirectory => openEsp({ write, rootDevice: physical?.device });
  const hasUkisElsewhere = bootLoader === "grub" && boot !== undefined && hasGrubMenu(boot.path, "grub");
  const esp = hasUkisElsewhere ? (write ? openUkis() : tryOpen(openUkis, problems)) : undefined;
  if (esp !== undefined) opened.defer(esp.close);
  const kept = opened.move();
  return {
    places: {
      physicalRoot: root.path,
      bootDirectory: boot?.path,
      espDirectory: esp?.path,
      runDirectory: RUN,
      bootLoader,
      efiVariables: EFI_VARIABLES,
      ...(existsSync(SELINUX) && { selinuxEtc: "/etc" }),
      booted,
      usrOverlay: readUsrOverlay(),
      isReadOnly,
    },
    problems,
    [Symbol.dispose]: () => kept.dispose(),
  };
}

const RETRY_MS = 200;

/**
 * As {@link openHost} to be changed, once nobody else changes it any more.
 * @throws SealrootError as openHost; `conflict` when that takes longer
 */
export async function openHostWhenFree(timeoutMs: number): Promise<OpenedHost | undefined> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return openHost({ write: true });
    } catch (error) {
      const isLocked = error instanceof SealrootError && error.code === "conflict";
      if (!isLocked || performance.now() >= endMs) throw error;
    }
    await sleep(RETRY_MS);
  }
}

function readOnlyDisk(): SealrootError {
  return new SealrootError("read-only", "Cannot change this host: /sysroot is on a read-only block device", {
    path: PHYSICAL_ROOT,
    hint: "a live medium cannot be updated; install it to a disk first",
  });
}

function tryOpen(open: () => OpenedDirectory, problems: HostProblem[]): OpenedDirectory | undefined {
  try {
    return open();
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
