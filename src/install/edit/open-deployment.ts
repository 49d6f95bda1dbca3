/** A deployment of a disk that does not run, ready to be looked into. */
import { CommandLine, findComposefsArguments } from "../../bls/index.ts";
import { parseRootConfiguration, ROOT_CONFIGURATION_PATH, type StateMount, stateMounts } from "../../bootplan/index.ts";
import { byteStringOfText } from "../../bytes/index.ts";
import { SHARED_VAR, stateDirectory } from "../../deployment/index.ts";
import { type Ext4File, type Ext4Tree, type InstalledDiskParts, readInstalledDisk } from "../../disk/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { hasFileAt } from "../../tree/index.ts";
import { chooseDeployment } from "../choose-deployment.ts";
import { offlineBoot } from "./disk-boot.ts";
import { type DiskImage, readDiskImage } from "./disk-image.ts";
import type { HeldDisk } from "./hold-disk.ts";
import { type StateArea, StateTree } from "./state-tree.ts";

export interface OpenDeployment {
  readonly deploymentId: string;
  readonly parts: InstalledDiskParts;
  readonly tree: StateTree;
  /** How the running system mounts each area. */
  readonly mounts: Readonly<Record<StateArea, StateMount>>;
}

/**
 * Opens the deployment that boots by default, or the wanted one.
 *
 * @throws SealrootError `conflict` when the root file system was not unmounted; as readInstalledDisk, chooseDeployment,
 *   readDiskImage; `corrupt` without its `/etc` or `/var`
 */
export async function openDeployment(
  held: HeldDisk,
  wanted: string | undefined,
  warn: (text: string) => void,
): Promise<OpenDeployment> {
  const parts = await readInstalledDisk(held.fd, held.path);
  refuseUnclean(parts, held.path);
  const { deploymentId, commandLine } = chooseDeployment(offlineBoot(parts), wanted, warn);
  const line = CommandLine.parse(commandLine ?? "");
  const image = readDiskImage(parts.root, imageIdOf(parts.root, deploymentId, line));
  const configuration = hasFileAt(image.files, ROOT_CONFIGURATION_PATH)
    ? Buffer.from(image.files.read(ROOT_CONFIGURATION_PATH)).toString("utf8")
    : undefined;
  const areas = {
    etc: directory(parts.root, `${stateDirectory(deploymentId)}/etc`),
    var: directory(parts.root, SHARED_VAR),
  };
  return {
    deploymentId,
    parts,
    tree: new StateTree(parts.root, image.root, areas),
    mounts: stateMounts(parseRootConfiguration(configuration), line),
  };
}

/** The image of a deployment, and what lies around it. */
export interface DeploymentImage {
  readonly deploymentId: string;
  /** The image that its command line names, of those that are there. */
  readonly imageId: string;
  readonly image: DiskImage;
  readonly parts: InstalledDiskParts;
}

/**
 * Reads the image of the deployment that boots by default, or of the wanted one. Its `/etc` and `/var` may be lost.
 *
 * @param held open as long as the parts are used
 * @throws SealrootError as {@link openDeployment}
 */
export async function readDeploymentImage(
  held: HeldDisk,
  wanted: string | undefined,
  warn: (text: string) => void,
): Promise<DeploymentImage> {
  const parts = await readInstalledDisk(held.fd, held.path);
  refuseUnclean(parts, held.path);
  const { deploymentId, commandLine } = chooseDeployment(offlineBoot(parts), wanted, warn);
  const imageId = imageIdOf(parts.root, deploymentId, CommandLine.parse(commandLine ?? ""));
  return { deploymentId, imageId, image: readDiskImage(parts.root, imageId), parts };
}

/** What the kernel would put in place at the next mount would undo a change. */
function refuseUnclean({ root }: InstalledDiskParts, path: string): void {
  const { unclean } = root.reader.superblock;
  if (unclean === undefined) return;
  throw new SealrootError("conflict", `Cannot use the root file system of ${path}: ${unclean}`, {
    path,
    hint: "boot the disk and shut it down, or run e2fsck(8) on its root partition",
  });
}

/** The first image of the command line that is there; a deployment is named after the one that was chosen at staging. */
function imageIdOf(root: Ext4Tree, deploymentId: string, line: CommandLine): string {
  const ids = [...findComposefsArguments(line).map(({ id }) => id), deploymentId];
  return ids.find((id) => root.find(byteStringOfText(`composefs/images/${id}`)) !== undefined) ?? deploymentId;
}

function directory(root: Ext4Tree, path: string): Ext4File {
  const file = root.find(byteStringOfText(path));
  if (file?.kind === "directory") return file;
  throw new SealrootError("corrupt", `Cannot read the deployment: ${path} is not a directory on the disk`, { path });
}
