/** A mount that has a place for a moment. */
import { closeSync, constants, openSync } from "node:fs";
import { attachMount, detachMount } from "./mount.ts";
import { temporaryDirectory } from "./temporary.ts";

/**
 * Attaches a mount to a directory of its own while `work` runs: before Linux 6.15 overlayfs does not accept a detached
 * layer. There is no await in between, so no signal handler ends the process while it is visible.
 *
 * @param work gets a descriptor of the mount's root, and its path
 */
export function withAttached<T>(mountFd: number, work: (rootFd: number, path: string) => T): T {
  using directory = temporaryDirectory({ purpose: "mount" });
  attachMount(mountFd, directory.path);
  try {
    const rootFd = openSync(directory.path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return work(rootFd, directory.path);
    } finally {
      closeSync(rootFd);
    }
  } finally {
    detachMount(directory.path);
  }
}
