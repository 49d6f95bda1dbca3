/** What gc will remove once an update runs: its rules, asked about the menu that there will be. */

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandLine } from "../../bls/index.ts";
import type { EventSink } from "../../events/index.ts";
import {
  collectImages,
  entriesAfterUpgrade,
  findInUse,
  garbageBootFiles,
  garbageState,
  type Host,
  type HostPlaces,
  type InUse,
  type Retention,
} from "../../host/index.ts";
import { temporaryDirectory } from "../../platform/index.ts";
import { bootDirectoryOf } from "../stage-update.ts";
import type { UpdateBoot } from "../update-boot.ts";
import type { PlannedGarbage } from "./update-plan.ts";

/** Taken away when the update is finalised. */
const STAGED_ENTRIES = "loader/entries.staged";

/** What decides which entries there will be. */
export interface PlannedMenu {
  readonly places: HostPlaces;
  readonly host: Host;
  readonly boot: UpdateBoot;
  readonly retention: Retention;
}

/**
 * Looks for garbage as if the update had been finalised and booted. The image must be in the repository.
 *
 * @throws SealrootError as findInUse and collectImages
 */
export async function planGarbage(update: PlannedMenu, events: EventSink): Promise<PlannedGarbage> {
  const { places, host } = update;
  const inUse = inUseAfter(update);
  const bootFiles = garbageBootFiles(places, inUse).filter(({ path }) => path !== STAGED_ENTRIES);
  const state = garbageState(places, inUse);
  const { report } = await collectImages(places, inUse, [], { dryRun: true, lockTimeoutMs: undefined, events });
  const [bootBytes, stateBytes] = [bootFiles, state].map((items) =>
    items.reduce((sum, { bytes }) => sum + bytes, 0),
  ) as [number, number];
  const { objectsRemoved: objects, objectsBytes } = report;
  const present = [host.staged, host.booted, host.rollback, ...host.others].flatMap((one) => one?.deploymentId ?? []);
  return {
    deployments: [...new Set(present)].filter((id) => !inUse.deploymentIds.has(id)),
    bytes: bootBytes + stateBytes + objectsBytes,
    ...{ bootBytes, stateBytes, objects, objectsBytes },
  };
}

/** What the rules say of a boot directory in memory with the new menu; the other boot files are links to the real ones. */
function inUseAfter({ places, host, boot, retention }: PlannedMenu): InUse {
  const { entry, imageIds, record } = boot;
  using directory = temporaryDirectory({ parent: places.runDirectory, purpose: "plan" });
  const real = bootDirectoryOf(places);
  const bootDirectory = join(directory.path, "boot");
  const runDirectory = join(directory.path, "run");
  const entries = join(bootDirectory, "loader/entries");
  mkdirSync(entries, { recursive: true });
  mkdirSync(runDirectory);
  for (const name of readdirSync(real)) if (name !== "loader") symlinkSync(join(real, name), join(bootDirectory, name));
  symlinkSync(join(real, "loader/addons"), join(bootDirectory, "loader/addons"));
  for (const { fileName, text } of entriesAfterUpgrade(host, entry, retention)) {
    writeFileSync(join(entries, fileName), text);
  }
  const replaced = new Set(host.entries.map(({ fileName }) => fileName));
  const live = join(real, "loader/entries");
  for (const name of readdirSync(live)) {
    if (!replaced.has(name)) writeFileSync(join(entries, name), readFileSync(join(live, name)));
  }
  const imageId = record.deploymentId;
  const booted = { imageId, missingVerityAllowed: false, verityRequired: false, commandLine: CommandLine.parse("") };
  const found = findInUse({ ...places, bootDirectory, runDirectory, booted }, undefined);
  // The new UKI is not on the ESP yet, where it would tell which images it names.
  return { ...found, imageIds: new Set([...found.imageIds, ...imageIds]) };
}
