/** Whether this system was started by bootc or sealroot, and which image its root is (spec/host-boot.md 7). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CommandLine, composefsWords, findComposefsArguments } from "../bls/index.ts";
import { corrupt } from "../errors/index.ts";
import { type MountEntry, readMountTable } from "../platform/index.ts";

/** The root that is running. */
export interface BootedRoot {
  /** Of the mounted image; a soft reboot changes it and not the command line. */
  readonly imageId: string;
  /** The command line accepts an image without fs-verity. */
  readonly missingVerityAllowed: boolean;
  /** The kernel requires fs-verity of every file that is opened. */
  readonly verityRequired: boolean;
  readonly commandLine: CommandLine;
}

/** The sources of the root's overlay: as it is sealed, and with a writable layer in memory. */
const ROOT_SOURCE = /^(?:composefs:|transient:composefs=)([0-9a-f]{64}|[0-9a-f]{128})$/;

/**
 * The root that the kernel has mounted.
 *
 * @param procDirectory `/proc`
 * @returns undefined for a system whose command line names no image
 * @throws SealrootError `corrupt` when the command line names one and something else is mounted
 */
export function readBootedRoot(procDirectory = "/proc"): BootedRoot | undefined {
  const commandLine = CommandLine.parse(readFileSync(join(procDirectory, "cmdline"), "utf8"));
  if (composefsWords(commandLine).length === 0) return undefined;
  const mounts = readMountTable(procDirectory);
  const root = lastAt(mounts, "/");
  const imageId = ROOT_SOURCE.exec(root?.source ?? "")?.[1];
  if (root === undefined || imageId === undefined) {
    throw corrupt("Cannot find the booted image: the command line names one, and the root is another file system", {
      path: "/",
      expected: "composefs:ID",
      actual: root?.source ?? "nothing",
    });
  }
  const [argument] = findComposefsArguments(commandLine);
  // Of a transient root the overlay below is the one that checks; it is out of sight, and was mounted by the same rule.
  const isTransient = root.source.startsWith("transient:");
  const missingVerityAllowed = argument?.verityOptional ?? false;
  return {
    imageId,
    missingVerityAllowed,
    verityRequired: isTransient ? !missingVerityAllowed : root.superOptions.includes("verity=require"),
    commandLine,
  };
}

/** A layer that the administrator has put over /usr. */
export interface UsrOverlay {
  readonly isWritable: boolean;
}

/** @returns undefined when `/usr` is what the image has */
export function readUsrOverlay(procDirectory = "/proc"): UsrOverlay | undefined {
  const mount = lastAt(readMountTable(procDirectory), "/usr");
  return mount === undefined ? undefined : { isWritable: !mount.options.includes("ro") };
}

function lastAt(mounts: readonly MountEntry[], mountPoint: string): MountEntry | undefined {
  return mounts.findLast((mount) => mount.mountPoint === mountPoint);
}
