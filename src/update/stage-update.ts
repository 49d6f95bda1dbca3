/**
 * Staging: everything a deployment needs is written and checked before a boot entry names it, and what makes it staged is
 * the last thing written (spec/host-lifecycle.md 4.2).
 */

import { join } from "node:path";
import { assessmentOf } from "../bls/index.ts";
import type { AddonNames } from "../bootimage/index.ts";
import {
  checkEspSpace,
  espSpace,
  installedAddons,
  openEntryStore,
  removeFromEsp,
  writeEspFile,
} from "../bootloader/index.ts";
import {
  type EtcPolicy,
  etcConflictText,
  etcDiffOf,
  etcOfImage,
  REPOSITORY_PATH,
  refuseEtcConflicts,
  removeStagedRecord,
  stageDeployment,
  writeStagedRecord,
} from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../events/index.ts";
import {
  type BootFilePlace,
  type CandidateImage,
  checkRollbackIndex,
  collectHost,
  entriesAfterUpgrade,
  espOf,
  etcOfDeployment,
  failedBootOf,
  forgetFailedImage,
  type Host,
  type HostDeployment,
  type HostPlaces,
  keepsEtc,
  menuOrder,
  placeOfBootFile,
  prepareBootSlots,
  type Retention,
  refuseFailedImage,
} from "../host/index.ts";
import type { SignatureDatabases } from "../keys/index.ts";
import { openRepository, type Repository, verifyImage } from "../repository/index.ts";
import type { DirectoryNode } from "../tree/index.ts";
import { type OpenedUpdate, type Standing, standingOf } from "./open-update.ts";
import { checkRootSpace } from "./root-space.ts";
import { writeStateDirectory } from "./state-directory.ts";
import { planUpdateBoot, type UpdateBoot } from "./update-boot.ts";
import type { UpdateTarget } from "./update-target.ts";

export interface StageUpdateOptions {
  /** Fetched and checked only: the next boot takes it only when it is told to. */
  readonly downloadOnly: boolean;
  /** What becomes of files of `/etc` that were changed on this host in a way that does not fit the new image. */
  readonly etc: EtcPolicy;
  /** The live directory, `/etc`. */
  readonly etcPath: string;
  /** Accept a UKI with `composefs=?`. */
  readonly allowMissingVerity: boolean;
  /** Accept an image with a lower rollback index than one that ran well here. */
  readonly allowDowngrade: boolean;
  /** Which deployments stay in the menu. */
  readonly retention: Retention;
  /** What a soft reboot would start: nextRootImage(). */
  readonly preparedImage: string | undefined;
  /** Take an image again whose boots failed on this host. */
  readonly retryFailed: boolean;
  /** Add-ons of the new image besides those that go along by their names. */
  readonly addons?: AddonNames | undefined;
  /** The EFI variable LoaderInfo: which boot loader will read the entry. */
  readonly loaderInfo: string | undefined;
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
 * @throws SealrootError as checkRollbackIndex, stageDeployment and planUpdateBoot; `conflict` for `/etc`, `no-space`
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
  checkRollbackIndex(places, image.config.config?.Labels, { force: options.allowDowngrade ?? false });
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH));
  await runStep(events, "check the space", () => checkRootSpace(places.physicalRoot, image, repository));
  const staged = await stageDeployment(repository, image, target.source, events);
  const { deploymentId } = staged;
  const standing = standingOf(host, (deployment) => deployment.deploymentId === deploymentId);
  const isRetried = refuseFailed(host, { deploymentId, manifestDigest }, target, options.retryFailed);
  if (standing !== "new" && !isRetried) return { deploymentId, manifestDigest, standing };
  const { allowMissingVerity, firmware, loaderInfo, addons } = options;
  const boot = await runStep(events, "check the boot chain", (reporter) =>
    planUpdateBoot(staged, {
      ...{
        places,
        bootDirectory,
        repository,
        host,
        booted,
        addons,
        allowMissingVerity,
        firmware,
        loaderInfo,
        reporter,
      },
      imageReference: target.imageReference,
    }),
  );
  await runStep(events, "check the files", (reporter) => verifyImages(repository, boot, reporter));
  const etc = etcOfImage(staged.tree, staged.stateXattrs);
  await runStep(events, "compare /etc", (reporter) => checkEtc(repository, { booted, places, etc }, options, reporter));
  await makeEspSpace(places, boot, options);
  await runStep(events, "write the state", (reporter) =>
    writeStateDirectory({ physicalRoot: places.physicalRoot, repository, record: boot.record, etc, reporter }),
  );
  // A boot that is tried tells how far it came, also when the disk is full by then.
  if (assessmentOf(boot.entry.fileName) === "indeterminate") prepareBootSlots(places.physicalRoot);
  await runStep(events, "write the boot files", () => {
    removeLeftAddons(places, deploymentId, boot);
    for (const { path, bytes } of boot.files) {
      const place = requirePlace(places, path);
      writeEspFile(place.directory, { path: place.path, bytes });
    }
  });
  await runStep(events, "stage the boot entries", async () => {
    await options.startFinalizer();
    // Entries and record name one deployment at every moment: what was staged before is given up first.
    removeStagedRecord(places.runDirectory);
    const entries = entriesAfterUpgrade(host, boot.entry, options.retention);
    openEntryStore(bootDirectory, menuOrder(places.bootLoader)).stage(entries);
    const { downloadOnly, etc: etcPolicy } = options;
    const globalAddons = boot.addons.filter(({ scope }) => scope === "global").map(({ name }) => name);
    writeStagedRecord(places.runDirectory, { deploymentId, downloadOnly, etcPolicy, globalAddons });
    if (isRetried) forgetFailedImage(places.physicalRoot, { deploymentId, manifestDigest });
  });
  return { deploymentId, manifestDigest, standing: "new" };
}

/** @returns true for an image that failed and is to be tried again */
export function refuseFailed(
  { failedBoots }: Host,
  image: CandidateImage,
  { imageReference }: UpdateTarget,
  retryFailed: boolean,
): boolean {
  if (!retryFailed) refuseFailedImage(failedBoots, image, "upgrade to", imageReference);
  return failedBootOf(failedBoots, image) !== undefined;
}

/** What no deployment has on the ESP goes only when there is no room otherwise. */
async function makeEspSpace(
  places: HostPlaces,
  { files, globalAddons }: UpdateBoot,
  { events, preparedImage }: StageUpdateOptions,
): Promise<void> {
  const sizes = [...files, ...globalAddons].map(({ bytes }) => bytes.length);
  const directory = bootFilesDirectory(places, files);
  const { freeBytes, neededBytes } = espSpace(directory, sizes);
  if (freeBytes < neededBytes) await collectHost(places, { dryRun: false, scope: "boot", preparedImage, events });
  checkEspSpace(directory, sizes);
}

/** An earlier staging of the same image that was dropped may have left add-ons that nobody wants now. */
function removeLeftAddons(places: HostPlaces, deploymentId: string, { files }: UpdateBoot): void {
  const esp = espOf(places);
  if (esp === undefined) return;
  for (const addon of installedAddons(esp).addons) {
    if (addon.deploymentId !== deploymentId || files.some(({ path }) => path === addon.path)) continue;
    removeFromEsp(esp, addon.path);
  }
}

export function bootedOf({ booted }: Host): HostDeployment {
  if (booted !== undefined) return booted;
  throw new SealrootError("not-found", "Cannot upgrade: no deployment of this system is booted");
}

/** Where the boot files of an update go; all of them into one file system. */
export function bootFilesDirectory(places: HostPlaces, [first]: readonly { readonly path: string }[]): string {
  return requirePlace(places, first?.path ?? "").directory;
}

function requirePlace(places: HostPlaces, path: string): BootFilePlace {
  const place = placeOfBootFile(places, path);
  if (place !== undefined) return place;
  throw new SealrootError("not-found", "Cannot upgrade: the ESP of this host was not found");
}

export function bootDirectoryOf({ bootDirectory }: HostPlaces): string {
  if (bootDirectory !== undefined) return bootDirectory;
  throw new SealrootError("not-found", "Cannot upgrade: the ESP of this host was not found");
}

function verifyImages(repository: Repository, { imageIds }: UpdateBoot, reporter: StepReporter): void {
  for (const id of imageIds) {
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
