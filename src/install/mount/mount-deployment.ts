/** `install mount`: a deployment of a disk that does not run, mounted with its own `/etc` and `/var` (bootc-install-mount(8)). */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { CommandLine, findComposefsArguments } from "../../bls/index.ts";
import { parseRootConfiguration, ROOT_CONFIGURATION_PATH } from "../../bootplan/index.ts";
import { isDeploymentId, REPOSITORY_PATH } from "../../deployment/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { detachMount } from "../../platform/index.ts";
import { type LinkEntry, mountImage, openRepository, type Repository, readStoredTree } from "../../repository/index.ts";
import { hasFileAt, TreeFiles } from "../../tree/index.ts";
import { type ChosenDeployment, chooseDeployment } from "../choose-deployment.ts";
import { folderFiles, openEspOf } from "./folder-boot.ts";
import { mountState } from "./mount-state.ts";

export interface MountDeploymentOptions {
  /** Where the root of the disk is mounted. */
  readonly sysroot: string;
  /** An existing directory. */
  readonly target: string;
  /** Id or first digits; the deployment that boots by default when absent. */
  readonly deployment?: string;
  /** Where the ESP is mounted. */
  readonly esp?: string;
  readonly readOnly: boolean;
  readonly warn: (text: string) => void;
}

/** What was mounted. */
export interface MountedDeployment {
  readonly deploymentId: string;
  readonly imageId: string;
}

/**
 * Mounts the image of the deployment read-only, and on it `/etc` and `/var` as its own configuration says, in the caller's
 * mount namespace; `umount -R` ends it. A transient root is not applied. fs-verity is required of image and objects
 * unless the deployment's sealed command line has `composefs=?`.
 *
 * @throws SealrootError `no-access` without root; `untrusted` when the kernel does not vouch for the image; `not-found`,
 *   `conflict` as chooseDeployment; what mounting meets. Nothing stays mounted then
 */
export async function mountDeployment(options: MountDeploymentOptions): Promise<MountedDeployment> {
  if (process.geteuid?.() !== 0) {
    throw new SealrootError("no-access", `Cannot mount the deployment of ${options.sysroot}: mounting needs root`, {
      hint: "run it as root; sealroot install edit changes a disk file without",
    });
  }
  const sysroot = directoryAt(options.sysroot, "the root of the disk");
  const target = directoryAt(options.target, "the target");
  if (readdirSync(target).length > 0) options.warn(`${target} is not empty: what is in it is hidden by the mount`);
  const chosen = await choose(sysroot, options);
  using repository = await openRepository(join(sysroot, REPOSITORY_PATH), { upgrade: false });
  const line = CommandLine.parse(chosen.commandLine ?? "");
  const image = imageOf(repository, chosen, line);
  const configuration = configurationOf(repository, image);
  const isStrict = findComposefsArguments(line).some(({ verityOptional }) => !verityOptional);
  mountImage(repository, image, target, { readWrite: false, requireVerity: isStrict });
  try {
    // bootc does not look at kernel arguments here: systemd.volatile= is for a system that runs.
    mountState({ sysroot, target, deploymentId: chosen.deploymentId, readOnly: options.readOnly }, configuration);
  } catch (error) {
    detachMount(target);
    throw error;
  }
  return { deploymentId: chosen.deploymentId, imageId: image.entry };
}

async function choose(sysroot: string, options: MountDeploymentOptions): Promise<ChosenDeployment> {
  using esp = await openEspOf(sysroot, options.esp);
  const boot = {
    esp: esp && folderFiles(esp.path),
    boot: folderFiles(join(sysroot, "boot")),
    deploymentIds: deploymentsIn(join(sysroot, "state/deploy")),
  };
  return chooseDeployment(boot, options.deployment, options.warn);
}

function deploymentsIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter(isDeploymentId).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw asSealrootError(error, "Cannot list the deployments", { path: folder });
  }
}

/** The first image of the command line that is there; a deployment is named after the one that was chosen at staging. */
function imageOf(repository: Repository, { deploymentId }: ChosenDeployment, line: CommandLine): LinkEntry {
  const ids = [...findComposefsArguments(line).map(({ id }) => id), deploymentId];
  return repository.images.resolve(ids.find((id) => repository.images.find(id) !== undefined) ?? deploymentId);
}

function configurationOf(repository: Repository, image: LinkEntry) {
  const { root } = readStoredTree(repository, image);
  const files = new TreeFiles(root, (objectId) => repository.objects.read(objectId));
  const isThere = hasFileAt(files, ROOT_CONFIGURATION_PATH);
  return parseRootConfiguration(
    isThere ? Buffer.from(files.read(ROOT_CONFIGURATION_PATH)).toString("utf8") : undefined,
  );
}

function directoryAt(path: string, what: string): string {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    throw asSealrootError(error, `Cannot use ${path} as ${what}`, { path });
  }
  throw new SealrootError("unsupported", `Cannot use ${path} as ${what}: it is not a directory`, { path });
}
