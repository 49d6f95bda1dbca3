/** `/etc` and `/var` of a mounted deployment, as its boot program would mount them (spec/host-boot.md 5, step 12). */
import { closeSync, constants, fchmodSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { type RootConfiguration, type StateMount, UPPER_MODE, WORK_MODE } from "../../bootplan/index.ts";
import { SHARED_VAR, stateDirectory } from "../../deployment/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import {
  attachMount,
  cloneMount,
  createMount,
  makeMountReadOnly,
  makeMountWritable,
  openBeneath,
  withAttached,
} from "../../platform/index.ts";

/** Where things are. Paths are free of links. */
export interface StatePlaces {
  readonly sysroot: string;
  /** Where the image is mounted. */
  readonly target: string;
  readonly deploymentId: string;
  readonly readOnly: boolean;
}

/**
 * Mounts both areas over those of the image.
 * @throws SealrootError `untrusted` when a link stands where the state should be; what mounting meets
 */
export function mountState(places: StatePlaces, configuration: RootConfiguration): void {
  const state = stateDirectory(places.deploymentId);
  mountArea(places, configuration.etc, "etc", `${state}/etc`);
  // The deployment's own `var` is a link to it (spec/host.md 1.2), and links are not followed here.
  mountArea(places, configuration.var, "var", SHARED_VAR);
}

function mountArea(places: StatePlaces, kind: StateMount, area: "etc" | "var", path: string): void {
  if (kind === "none") return;
  const mountPoint = join(places.target, area);
  try {
    if (kind === "transient") {
      attachAndClose(transientOverlay(mountPoint, places.readOnly), mountPoint);
      return;
    }
    const stateFd = openState(places.sysroot, path);
    try {
      const mountFd =
        kind === "bind" ? bindMount(stateFd, places.readOnly) : keptOverlay(stateFd, mountPoint, places.readOnly);
      if (mountFd !== undefined) attachAndClose(mountFd, mountPoint);
    } finally {
      closeSync(stateFd);
    }
  } catch (error) {
    throw asSealrootError(error, `Cannot mount /${area} of the deployment`, { path: mountPoint });
  }
}

/** No link is followed: the writer of the disk could have it lead to directories of this machine. */
function openState(sysroot: string, path: string): number {
  const directory = openSync(sysroot, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return openBeneath(directory, Buffer.from(path));
  } catch (error) {
    throw asUntrusted(error, path);
  } finally {
    closeSync(directory);
  }
}

function asUntrusted(error: unknown, path: string): unknown {
  if (!hasErrno(error, "ELOOP", "EXDEV")) return error;
  return new SealrootError("untrusted", `Cannot use ${path} of the disk: a link stands there`, { path });
}

function attachAndClose(mountFd: number, mountPoint: string): void {
  try {
    attachMount(mountFd, mountPoint);
  } finally {
    closeSync(mountFd);
  }
}

function bindMount(stateFd: number, readOnly: boolean): number {
  const fd = cloneMount(`/proc/self/fd/${stateFd}`);
  try {
    if (readOnly) makeMountReadOnly(fd);
    else makeMountWritable(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** @returns undefined for one that is only read and has no changes: the image's own is seen */
function keptOverlay(stateFd: number, mountPoint: string, readOnly: boolean): number | undefined {
  const view = bindMount(stateFd, readOnly);
  try {
    // Before Linux 6.15 overlayfs does not accept layers of a mount that is attached nowhere.
    return withAttached(view, (rootFd) => {
      if (!readOnly) return layered("overlay", mountPoint, rootFd, false);
      using opened = new Descriptors();
      const upper = opened.beneath(rootFd, "upper");
      if (upper === undefined) return undefined;
      const lower = `${descriptorPath(upper)}:${descriptorPath(opened.directory(mountPoint))}`;
      return createMount("overlay", { options: [["lowerdir", lower]], readOnly });
    });
  } finally {
    closeSync(view);
  }
}

function transientOverlay(mountPoint: string, readOnly: boolean): number {
  const memory = createMount("tmpfs", { options: [["mode", "0755"]], readOnly: false });
  try {
    return withAttached(memory, (rootFd) => layered("transient", mountPoint, rootFd, readOnly));
  } finally {
    closeSync(memory);
  }
}

/** An overlay on the image's directory whose layers are below `rootFd`. */
function layered(source: string, mountPoint: string, rootFd: number, readOnly: boolean): number {
  using opened = new Descriptors();
  const upper = opened.made(rootFd, "upper", UPPER_MODE);
  const work = opened.made(rootFd, "work", WORK_MODE);
  return createMount("overlay", {
    options: [
      ["source", source],
      ["lowerdir", descriptorPath(opened.directory(mountPoint))],
      ["upperdir", descriptorPath(upper)],
      ["workdir", descriptorPath(work)],
    ],
    readOnly,
  });
}

/** Paths by descriptor need no escapes and cannot be swapped. */
function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Directories that are open until they are disposed of. */
class Descriptors {
  readonly #open: number[] = [];

  directory(path: string): number {
    return this.#keep(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  /** @throws SealrootError `untrusted` for a link */
  beneath(parentFd: number, name: string): number | undefined {
    try {
      return this.#keep(openBeneath(parentFd, Buffer.from(name)));
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw asUntrusted(error, name);
    }
  }

  /** Makes it if it is not there; its permission bits are these whatever the umask. */
  made(parentFd: number, name: string, mode: number): number {
    try {
      mkdirSync(`${descriptorPath(parentFd)}/${name}`);
    } catch (error) {
      if (!hasErrno(error, "EEXIST")) throw error;
    }
    const fd = this.beneath(parentFd, name);
    if (fd === undefined) throw new SealrootError("not-found", `Cannot use ${name} of the overlay: it has gone`);
    fchmodSync(fd, mode);
    return fd;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
  }

  #keep(fd: number): number {
    this.#open.push(fd);
    return fd;
  }
}
