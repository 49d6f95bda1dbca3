/** The plan of an image that is fetched for it: to the byte. */

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { CommandLine } from "../../bls/index.ts";
import { addonLines, espSpace, installedAddons, openEntryStore } from "../../bootloader/index.ts";
import { etcOfImage, REPOSITORY_PATH, type StagedDeployment, stageDeployment } from "../../deployment/index.ts";
import { runStep } from "../../events/index.ts";
import {
  checkRollbackIndex,
  DEFAULT_RETENTION,
  encryptedPartition,
  entriesAfterUpgrade,
  type Host,
  type HostPlaces,
  menuOrder,
  type Retention,
  requireEsp,
} from "../../host/index.ts";
import { changesOfPackages } from "../../packages/index.ts";
import { commandLineOf, parsePe, readUki } from "../../pe/index.ts";
import { openRepository, type Repository } from "../../repository/index.ts";
import { treeChanges } from "../../tree/index.ts";
import { type OpenedUpdate, standingOf } from "../open-update.ts";
import { checkRootSpace, rootSpace } from "../root-space.ts";
import { bootDirectoryOf, bootedOf, bootFilesDirectory } from "../stage-update.ts";
import { planUpdateBoot, type UpdateBoot } from "../update-boot.ts";
import { CountedBlobs } from "./counted-blobs.ts";
import { currentBoot, orUnknown, readCrypttab, readCurrentImage } from "./current-image.ts";
import {
  fetchedLayers,
  layersBytes,
  objectIds,
  type PlanOptions,
  plannedImages,
  planOfPresent,
} from "./plan-update.ts";
import { type BootParts, NO_ADDONS_LOADED, plannedBoot } from "./planned-boot.ts";
import { planEtc, stateRoom } from "./planned-etc.ts";
import { planGarbage } from "./planned-garbage.ts";
import { isKnown, type PlannedEsp, type PlannedFetch, type Room, type UpdatePlan } from "./update-plan.ts";

/** What a 512-byte unit of stat(2) is. */
const STAT_BLOCK_BYTES = 512;

/**
 * Fetches the image into the repository, where the update will find it, and plans the rest. Stages nothing: boot entries,
 * state and `/run` stay as they are.
 *
 * @throws SealrootError whatever the update would refuse the image for, except conflicts in `/etc`, which the plan tells
 */
export async function planFetched(
  places: HostPlaces,
  host: Host,
  update: OpenedUpdate,
  options: PlanOptions,
): Promise<UpdatePlan> {
  if (update.standing !== "new") return planOfPresent(places, host, update, "fetched");
  const { events } = options;
  const { image, target } = update;
  bootedOf(host);
  checkRollbackIndex(places, image.config.config?.Labels, { force: options.allowDowngrade ?? false });
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH));
  const { neededBytes: requiredBytes, blockBytes } = rootSpace(places.physicalRoot, image, repository);
  await runStep(events, "check the space", () => checkRootSpace(places.physicalRoot, image, repository));
  const before = objectIds(repository);
  const blobs = new CountedBlobs(image.blobs);
  const staged = await stageDeployment(repository, { ...image, blobs: blobs.reader }, target.source, events);
  const { deploymentId } = staged;
  const standing = standingOf(host, (deployment) => deployment.deploymentId === deploymentId);
  const layers = fetchedLayers(update, blobs.bytes);
  const fetch: PlannedFetch = {
    bytes: layers.reduce((sum, { fetchBytes }) => sum + fetchBytes, 0),
    certainty: "exact",
    layersBytes: layersBytes(update),
    layers,
  };
  if (standing !== "new") return { ...(await planOfPresent(places, host, update, "fetched", standing)), fetch };
  const objects = roomOfObjects(repository, before);
  const images = plannedImages(host, update);
  const parts = await partsOf({ repository, places, host, update, staged, blockBytes }, options);
  return {
    from: images.from,
    to: { ...images.to, deploymentId },
    ...{ basis: "fetched", standing, image: target.imageReference, fetch },
    root: {
      freeBytes: rootSpace(places.physicalRoot, image, repository).freeBytes,
      requiredBytes,
      objects,
      state: parts.state,
    },
    ...{ esp: parts.esp, packages: parts.packages, files: parts.files, etc: parts.etc, boot: parts.boot },
    garbage: parts.garbage,
  };
}

/** As the file system has them. */
function roomOfObjects({ objects }: Repository, before: ReadonlySet<string>): Room {
  let [files, bytes, allottedBytes] = [0, 0, 0];
  for (const { objectId, path } of objects.entries()) {
    if (objectId === undefined || before.has(objectId)) continue;
    const stat = lstatSync(path);
    files += 1;
    bytes += stat.size;
    allottedBytes += stat.blocks * STAT_BLOCK_BYTES;
  }
  return { files, bytes, allottedBytes, certainty: "exact" };
}

interface Question {
  readonly repository: Repository;
  readonly places: HostPlaces;
  readonly host: Host;
  readonly update: OpenedUpdate;
  readonly staged: StagedDeployment;
  readonly blockBytes: number;
}

type Parts = Pick<UpdatePlan, "esp" | "packages" | "files" | "etc" | "boot" | "garbage"> &
  Pick<UpdatePlan["root"], "state">;

async function partsOf(question: Question, options: PlanOptions): Promise<Parts> {
  const { repository, places, host, update, staged, blockBytes } = question;
  const { events, etcPath } = options;
  const booted = bootedOf(host);
  const bootDirectory = bootDirectoryOf(places);
  const { allowMissingVerity, firmware, retention = DEFAULT_RETENTION } = options;
  const boot = await runStep(events, "check the boot chain", (reporter) =>
    planUpdateBoot(staged, {
      ...{
        places,
        bootDirectory,
        repository,
        host,
        booted,
        addons: options.addons,
        allowMissingVerity,
        firmware,
        loaderInfo: options.loaderInfo,
        reporter,
      },
      imageReference: update.target.imageReference,
    }),
  );
  const { record } = boot;
  const next = etcOfImage(staged.tree, staged.stateXattrs);
  const { etc, merged } = await runStep(events, "compare /etc", (reporter) =>
    planEtc(repository, { places, booted, etcPath, next, policy: options.etc, reporter }),
  );
  const current = await runStep(events, "read the image that runs", () =>
    orUnknown(() => readCurrentImage(repository, booted)),
  );
  const after = await orUnknown(() => readCurrentImage(repository, { ...booted, ...record }));
  return {
    esp: plannedEsp(question, boot, retention),
    packages:
      isKnown(current) && isKnown(after)
        ? changesOfPackages(current.packages, after.packages)
        : unknownOf(current, after),
    files: isKnown(current) && isKnown(after) ? treeChanges(current.tree, after.tree) : unknownOf(current, after),
    etc,
    state: stateRoom(next, merged, record.origin, blockBytes),
    boot: await orUnknown(() =>
      plannedBoot(
        currentBoot(places, booted),
        nextBoot(places, boot),
        readCrypttab(etcPath),
        encryptedPartition(places.physicalRoot),
      ),
    ),
    garbage: await orUnknown(() => planGarbage({ places, host, boot, retention }, events)),
  };
}

function unknownOf(...values: readonly object[]): { readonly unknown: string } {
  for (const value of values) if (!isKnown(value)) return value as { readonly unknown: string };
  throw new Error("unreachable: one of them is unknown");
}

function plannedEsp(
  { places, host }: Question,
  { files, globalAddons, entry }: UpdateBoot,
  retention: Retention,
): PlannedEsp {
  const entries = openEntryStore(bootDirectoryOf(places), menuOrder(places.bootLoader)).sizesOf(
    entriesAfterUpgrade(host, entry, retention),
  );
  const bootFiles = [...files, ...globalAddons].map(({ path, bytes }) => ({ path, bytes: bytes.length }));
  const sizes = bootFiles.map(({ bytes }) => bytes);
  return { ...espSpace(bootFilesDirectory(places, files), sizes), bootFiles, entries };
}

function nextBoot(
  places: HostPlaces,
  { entry: { entry }, files, addons, globalAddons, record }: UpdateBoot,
): BootParts {
  const { bootDigest } = record.origin;
  const [file] = files;
  if (entry.target.type !== "uki" || file === undefined) {
    return { ...NO_ADDONS_LOADED, commandLine: CommandLine.parse(entry.options ?? ""), bootDigest, uki: undefined };
  }
  const uki = readUki(file.bytes);
  const written = new Map(globalAddons.map(({ path, bytes }) => [path, bytes]));
  const esp = requireEsp(places, "look for add-ons");
  const { addons: installed } = installedAddons(esp);
  const global = installed.filter(({ scope, path }) => scope === "global" && !written.has(path));
  return {
    commandLine: CommandLine.parse(uki.commandLine ?? ""),
    scopedAddons: addons.filter(({ scope }) => scope === "scoped").flatMap(({ bytes }) => lineOf(bytes)),
    globalAddons: [
      ...addonLines(
        esp,
        global.map(({ path }) => path),
      ),
      ...[...written.values()].flatMap(lineOf),
    ],
    ...{ bootDigest, uki },
  };
}

function lineOf(addon: Uint8Array): string[] {
  return [commandLineOf(parsePe(addon), "add-on") ?? ""].filter((line) => line !== "");
}
