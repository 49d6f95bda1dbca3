/** Kernel arguments of one source on a host without seal: TuneD's, an administrator's (`loader-entries set-options-for-source`). */

import { join } from "node:path";
import {
  checkCommandLineLength,
  checkUserArguments,
  formatBootEntry,
  startedLine,
  withOptionsOfSource,
} from "../bls/index.ts";
import { type Architecture, findArchitecture } from "../bootimage/index.ts";
import { openEntryStore } from "../bootloader/index.ts";
import { REPOSITORY_PATH } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { openRepository } from "../repository/index.ts";
import { bootedKernelArguments } from "./booted-arguments.ts";
import type { HostDeployment } from "./host.ts";
import { type HostPlaces, menuOrder } from "./host-places.ts";
import { readHost } from "./read-host.ts";

export interface SourceOptions {
  readonly source: string;
  /** Undefined or blank removes the source. */
  readonly options: string | undefined;
}

export interface SourceOptionsOutcome {
  readonly source: string;
  /** Of the deployment whose entry it is: the staged one, if one is staged. */
  readonly deploymentId: string;
  /** The whole command line of the next boot. */
  readonly commandLine: string;
  /** False when it was so before. */
  readonly changed: boolean;
}

/**
 * Gives the next boot the arguments of a source in place of those that it had: in the entry of what is staged, or else in
 * that of what runs. That is one file, replaced in one step.
 *
 * bootc stages another deployment of the same image for it, which ostree can have twice; here a deployment is named after
 * its image, so it is the entry that changes. The running kernel keeps its arguments.
 *
 * @throws SealrootError as withOptionsOfSource, checkUserArguments, checkCommandLineLength; `not-found` without a
 *   deployment or its entry
 */
export async function setOptionsForSource(
  places: HostPlaces,
  { source, options }: SourceOptions,
): Promise<SourceOptionsOutcome> {
  checkUserArguments(options ?? "", "installed");
  const host = await readHost(places);
  const folder = host.staged === undefined ? "live" : "staged";
  const deployment = host.staged ?? host.booted;
  if (deployment?.entry === undefined || places.bootDirectory === undefined) throw noEntry();
  const { deploymentId, entry: stored } = deployment;
  const architecture = architectureOf(deployment);
  const changed = withOptionsOfSource(
    stored.entry,
    source,
    options,
    await ownArguments(places, deployment, architecture),
  );
  const commandLine = changed.options ?? "";
  const { target } = changed;
  const started = target.type === "linux" ? startedLine(commandLine, target.initrd[0] ?? "") : commandLine;
  checkCommandLineLength(started, architecture.efi, "the kernel command line of the next boot");
  const [before, text] = [stored.entry, changed].map(formatBootEntry);
  if (text === undefined || text === before) return { source, deploymentId, commandLine, changed: false };
  const store = openEntryStore(places.bootDirectory, menuOrder(places.bootLoader));
  store.replace(folder, { fileName: stored.fileName, text });
  return { source, deploymentId, commandLine, changed: true };
}

/** What is said of it. */
export function sourceOptionsText({ source, commandLine, changed }: SourceOptionsOutcome): string[] {
  return [
    changed ? `Options of ${source} set for the next boot` : `No changes needed for source ${source}`,
    commandLine,
  ];
}

/** What the image asks for itself, which does not go with a source. */
async function ownArguments(
  { physicalRoot }: HostPlaces,
  { deploymentId }: HostDeployment,
  architecture: Architecture,
): Promise<string[]> {
  using repository = await openRepository(join(physicalRoot, REPOSITORY_PATH), { upgrade: "in-memory" });
  return await bootedKernelArguments(repository, deploymentId, architecture);
}

function architectureOf({ image }: HostDeployment): Architecture {
  const found = image && findArchitecture("oci", image.architecture);
  if (found !== undefined) return found;
  throw new SealrootError("not-found", "Cannot set the options: the image of the deployment cannot be read", {
    hint: "sealroot status says why",
  });
}

function noEntry(): SealrootError {
  return new SealrootError("not-found", "Cannot set the options: no deployment of this system has a boot entry", {
    hint: "sealroot status shows the deployments",
  });
}
