/**
 * Staging: everything a deployment needs is written and checked before a boot entry names it, and what makes it staged is
 * the last thing written (spec/host-lifecycle.md 4.2).
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { entryFileName, type NamedEntry, osIdentity, parseOsRelease, ukiEntry, ukiPath } from "../../bls/index.ts";
import { checkDeployment, findSealedContents, type SealedContents } from "../../bootimage/index.ts";
import { EntryStore, writeEspFile } from "../../bootloader/index.ts";
import {
  type EtcPolicy,
  etcConflictText,
  etcDiffOf,
  etcOfImage,
  REPOSITORY_PATH,
  recordOfUki,
  refuseEtcConflicts,
  removeStagedRecord,
  type StagedDeployment,
  stageDeployment,
  writeStagedRecord,
} from "../../deployment/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../../events/index.ts";
import { layerStreamName } from "../../imagestore/index.ts";
import { isSigned, type SignatureDatabases, verifyBootProgram } from "../../keys/index.ts";
import { openRepository, type Repository, verifyImage } from "../../repository/index.ts";
import type { DirectoryNode } from "../../tree/index.ts";
import { DEFAULT_RETENTION, entriesAfterUpgrade } from "../entry-order.ts";
import type { Host, HostDeployment } from "../host.ts";
import { type HostPlaces, menuOrder } from "../host-places.ts";
import { keepsEtc } from "../root-configuration.ts";
import { checkEspSpace } from "./esp-space.ts";
import { etcOfDeployment } from "./etc-trees.ts";
import { type OpenedUpdate, type Standing, standingOf } from "./open-update.ts";
import { checkRootSpace } from "./root-space.ts";
import { writeStateDirectory } from "./state-directory.ts";

export interface StageUpdateOptions {
  /** Fetched and checked only: the next boot takes it only when it is told to. */
  readonly downloadOnly: boolean;
  /** What becomes of files of `/etc` that were changed on this host in a way that does not fit the new image. */
  readonly etc: EtcPolicy;
  /** The live directory, `/etc`. */
  readonly etcPath: string;
  /** Accept a UKI with `composefs=?`. */
  readonly allowMissingVerity: boolean;
  /** What the firmware lets start; undefined when it lets start anything. */
  readonly firmware: SignatureDatabases | undefined;
  /** Sees to it that the deployment is finalised at shutdown; called before anything is staged. */
  readonly startFinalizer: () => Promise<void>;
  readonly events: EventSink;
}

/** What was staged; with another standing than `new`, what the host has already. */
export interface StagedUpdate {
  readonly deploymentId: string;
  readonly manifestDigest: string;
  readonly standing: Standing;
}

/**
 * Fetches the image of an update and stages it as a deployment. Killed at any point, the host boots what it booted
 * before, and the next run goes on with what was fetched.
 *
 * @throws SealrootError as stageDeployment, findSealedContents, verifyBootProgram; `conflict` for `/etc`, `no-space`
 */
export async function stageUpdate(
  places: HostPlaces,
  host: Host,
  update: OpenedUpdate,
  options: StageUpdateOptions,
): Promise<StagedUpdate> {
  const { events } = options;
  const { image, target, manifestDigest } = update;
  const booted = bootedOf(host);
  const bootDirectory = bootDirectoryOf(places);
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH));
  await runStep(events, "check the space", () =>
    checkRootSpace(
      places.physicalRoot,
      image,
      (diffId) => repository.streams.find(layerStreamName(diffId)) !== undefined,
    ),
  );
  const staged = await stageDeployment(repository, image, target.source, events);
  const { deploymentId } = staged;
  const standing = standingOf(host, (deployment) => deployment.deploymentId === deploymentId);
  if (standing !== "new") return { deploymentId, manifestDigest, standing };
  const boot = await runStep(events, "check the boot chain", (reporter) =>
    checkBootChain(places, staged, options, reporter),
  );
  await runStep(events, "check the files", (reporter) => verifyImages(repository, boot, reporter));
  const etc = etcOfImage(staged.tree, staged.stateXattrs);
  await runStep(events, "compare /etc", (reporter) => checkEtc(repository, { booted, places, etc }, options, reporter));
  checkEspSpace(bootDirectory, [boot.ukiBytes.length]);
  const record = recordOfUki(staged, target.imageReference, boot.uki);
  await runStep(events, "write the state", (reporter) =>
    writeStateDirectory({ physicalRoot: places.physicalRoot, repository, record, etc, reporter }),
  );
  await runStep(events, "write the boot files", () =>
    writeEspFile(bootDirectory, { path: ukiPath(deploymentId).slice(1), bytes: boot.ukiBytes }),
  );
  await runStep(events, "stage the boot entries", async () => {
    await options.startFinalizer();
    // Entries and record name one deployment at every moment: what was staged before is given up first.
    removeStagedRecord(places.runDirectory);
    const entries = entriesAfterUpgrade(host, newEntry(deploymentId, boot, booted), DEFAULT_RETENTION);
    new EntryStore(bootDirectory, menuOrder(places.bootLoader)).stage(entries);
    const { downloadOnly, etc: etcPolicy } = options;
    writeStagedRecord(places.runDirectory, { deploymentId, downloadOnly, etcPolicy });
  });
  return { deploymentId, manifestDigest, standing };
}

/** The loader that reads the booted entry reads one with the same key. */
function newEntry(deploymentId: string, { osRelease }: SealedContents, { entry }: HostDeployment): NamedEntry {
  const os = osIdentity(parseOsRelease(osRelease));
  const target = entry?.entry.target;
  const key = target?.type === "uki" ? target.key : "efi";
  return {
    fileName: entryFileName(os, deploymentId, "primary"),
    entry: ukiEntry(os, deploymentId, "primary", key),
  };
}

function bootedOf({ booted }: Host): HostDeployment {
  if (booted !== undefined) return booted;
  throw new SealrootError("not-found", "Cannot upgrade: no deployment of this system is booted");
}

function bootDirectoryOf({ bootDirectory }: HostPlaces): string {
  if (bootDirectory !== undefined) return bootDirectory;
  throw new SealrootError("not-found", "Cannot upgrade: the ESP of this host was not found");
}

async function checkBootChain(
  places: HostPlaces,
  { files, architecture }: StagedDeployment,
  { allowMissingVerity, firmware }: StageUpdateOptions,
  reporter: StepReporter,
): Promise<SealedContents> {
  const boot = findSealedContents(files, architecture, []);
  checkDeployment(boot, { allowMissingVerity }, reporter.warn);
  if (boot.rootUuid !== undefined) checkRoot(boot.rootUuid, places);
  const what = `the UKI ${boot.ukiPath}`;
  if (firmware !== undefined) await verifyBootProgram(boot.ukiBytes, what, [firmware]);
  else if (isSigned(boot.ukiBytes)) await verifyBootProgram(boot.ukiBytes, what, []);
  else reporter.warn(`Firmware with Secure Boot will refuse ${what}: it is not signed`);
  return boot;
}

/** A UKI that looks for another disk would not find this one. */
function checkRoot(uuid: string, { physicalRoot }: HostPlaces): void {
  const path = `/dev/disk/by-uuid/${uuid}`;
  const device = statSync(path, { throwIfNoEntry: false })?.rdev;
  if (device === statSync(physicalRoot).dev) return;
  throw new SealrootError(
    "conflict",
    `Cannot use the image: it looks for its root on another disk (root=UUID=${uuid})`,
    {
      path,
      hint: "seal the image without --root-uuid, or with that of this host",
    },
  );
}

function verifyImages(repository: Repository, { composefsArguments }: SealedContents, reporter: StepReporter): void {
  for (const { id } of composefsArguments) {
    const objects = verifyImage(repository, id);
    reporter.status(`${objects} objects`);
  }
}

async function checkEtc(
  repository: Repository,
  { booted, places, etc }: { booted: HostDeployment; places: HostPlaces; etc: DirectoryNode },
  options: StageUpdateOptions,
  reporter: StepReporter,
): Promise<void> {
  const imageId = places.booted?.imageId ?? booted.deploymentId;
  if (!keepsEtc(repository, imageId)) return;
  const pristine = await etcOfDeployment(repository, booted.origin.manifestDigest, imageId);
  const { algorithm } = repository;
  const { diff } = await etcDiffOf(pristine, options.etcPath, { algorithm, next: etc, reporter });
  if (options.etc === "abort") refuseEtcConflicts(diff);
  for (const conflict of diff.conflicts) reporter.warn(etcConflictText(conflict));
}
