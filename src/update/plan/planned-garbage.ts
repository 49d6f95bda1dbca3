/** What gc will remove once an update runs: its rules, asked about the menu that there will be. */

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandLine } from "../../bls/index.ts";
import { GRUB_MENU, GRUB_MENU_FOLDER, hasGrubMenu, type NewEntry, openEntryStore } from "../../bootloader/index.ts";
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
  menuOrder,
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

/** With what the live menu has of others. */
function writeMenu(real: string, bootDirectory: string, entries: readonly NewEntry[]): void {
  const path = join(GRUB_MENU_FOLDER, GRUB_MENU);
  mkdirSync(join(bootDirectory, GRUB_MENU_FOLDER));
  writeFileSync(join(bootDirectory, path), readFileSync(join(real, path)));
  const store = openEntryStore(bootDirectory, "grub");
  store.stage(entries);
  store.activate();
}

function writeEntries(real: string, bootDirectory: string, entries: readonly NewEntry[], host: Host): void {
  const folder = join(bootDirectory, "loader/entries");
  mkdirSync(folder);
  for (const { fileName, text } of entries) writeFileSync(join(folder, fileName), text);
  const replaced = new Set(host.entries.map(({ fileName }) => fileName));
  const live = join(real, "loader/entries");
  for (const name of readdirSync(live)) {
    if (!replaced.has(name)) writeFileSync(join(folder, name), readFileSync(join(live, name)));
  }
}

/** What the rules say of a boot directory in memory with the new menu; the other boot files are links to the real ones. */
function inUseAfter({ places, host, boot, retention }: PlannedMenu): InUse {
  const { entry, imageIds, record } = boot;
  using directory = temporaryDirectory({ parent: places.runDirectory, purpose: "plan" });
  const real = bootDirectoryOf(places);
  const bootDirectory = join(directory.path, "boot");
  const runDirectory = join(directory.path, "run");
  const order = menuOrder(places.bootLoader);
  mkdirSync(join(bootDirectory, "loader"), { recursive: true });
  mkdirSync(runDirectory);
  const copied = ["loader", ...(hasGrubMenu(real, order) ? [GRUB_MENU_FOLDER] : [])];
  for (const name of readdirSync(real)) {
    if (!copied.includes(name)) symlinkSync(join(real, name), join(bootDirectory, name));
  }
  symlinkSync(join(real, "loader/addons"), join(bootDirectory, "loader/addons"));
  const entries = entriesAfterUpgrade(host, entry, retention);
  if (hasGrubMenu(real, order)) writeMenu(real, bootDirectory, entries);
  else writeEntries(real, bootDirectory, entries, host);
  const imageId = record.deploymentId;
  const booted = { imageId, missingVerityAllowed: false, verityRequired: false, commandLine: CommandLine.parse("") };
  const found = findInUse({ ...places, bootDirectory, runDirectory, booted }, undefined);
  // The new UKI is not on the ESP yet, where it would tell which images it names.
  return { ...found, imageIds: new Set([...found.imageIds, ...imageIds]) };
}
