/**
 * What of a host is in use: everything that a boot entry, a record or the running system leads to (spec/host-lifecycle.md
 * 5.3). What cannot be read may lead to anything that it could mean, so that all of that is in use.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootEntry, CommandLine, composefsWords, deploymentOfUkiPath, ukiPath } from "../../bls/index.ts";
import {
  addonFolder,
  type BootEntryStore,
  GLOBAL_ADDONS_FOLDER,
  GRUB_MENU,
  hasGrubMenu,
  type StoredEntry,
} from "../../bootloader/index.ts";
import { listDeployments, readStagedRecord, type StagedRecord } from "../../deployment/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { commandLineOf, parsePe } from "../../pe/index.ts";
import type { HostProblem } from "../host.ts";
import { entryStoreOf } from "../host-entries.ts";
import { type HostPlaces, menuOrder, placeOfBootFile } from "../host-places.ts";

export interface InUse {
  /** They have a boot entry, are staged, run, or are pinned: their state stays. */
  readonly deploymentIds: ReadonlySet<string>;
  /** Ids in the names of boot files that stay: those that entries name, and those of deployments without an entry. */
  readonly bootFileIds: ReadonlySet<string>;
  /** A deployment without an entry may need any kernel: deployments share them, and only entries say which. */
  readonly kernelsAreUnclear: boolean;
  /** EROFS images that may become a root: all that a UKI names, of both formats. */
  readonly imageIds: ReadonlySet<string>;
  /** There are staged entries and they wait for the next boot; otherwise they are leftovers. */
  readonly hasStaged: boolean;
  /** What `/run` calls staged although no staged entry starts it. */
  readonly staleRecord: string | undefined;
  /** Something cannot be read that could name any deployment: none of them is garbage. */
  readonly isUnclear: boolean;
  /** Something cannot be read that could name any image: none of them is garbage. */
  readonly imagesAreUnclear: boolean;
  readonly problems: readonly HostProblem[];
}

/** Where UKIs are, below the boot directory. */
export const UKI_DIRECTORY = "EFI/Linux/bootc";
/** Entries of bootc and ours are called like this (spec/host.md 1.6). */
const OWN_ENTRY = /^bootc_/i;
/** Larger is no entry; it is not read to see what it is. */
const ENTRY_MAX_BYTES = 1 << 20;

/**
 * @param preparedImage what a soft reboot would start: nextRootImage()
 * @throws SealrootError `not-found` without a boot directory; when boot entries or deployments cannot be listed: without
 *   them everything would look like garbage
 */
export function findInUse(places: HostPlaces, preparedImage: string | undefined): InUse {
  const finder = new InUseFinder(places);
  finder.find([places.booted?.imageId, preparedImage]);
  return finder;
}

class InUseFinder implements InUse {
  readonly deploymentIds = new Set<string>();
  readonly bootFileIds = new Set<string>();
  readonly imageIds = new Set<string>();
  readonly problems: HostProblem[] = [];
  hasStaged = false;
  staleRecord: string | undefined;
  kernelsAreUnclear = false;
  isUnclear = false;
  imagesAreUnclear = false;
  readonly #places: HostPlaces;
  readonly #store: BootEntryStore;
  /** Deployments that have a state directory. */
  readonly #recordedIds = new Set<string>();
  /** UKIs that entries name, or deployments have: absolute in the boot directory. */
  readonly #ukiPaths = new Set<string>();
  /** Images named by what was read so far. */
  readonly #namedImages = new Set<string>();

  constructor(places: HostPlaces) {
    const { bootDirectory, store } = entryStoreOf(places, "collect garbage");
    const isOnEsp = hasGrubMenu(bootDirectory, menuOrder(places.bootLoader));
    this.#places = places;
    this.#store = store;
    if (isOnEsp && places.espDirectory === undefined) {
      this.imagesAreUnclear = true;
      this.#problem("ESP", espUnknown(), "");
    }
  }

  /** @param running images of roots that are mounted */
  find(running: readonly (string | undefined)[]): void {
    this.#entries("live");
    this.#staged();
    this.#records();
    for (const id of this.deploymentIds) {
      this.imageIds.add(id);
      this.#ukiPaths.add(ukiPath(id));
    }
    for (const path of this.#ukiPaths) this.#uki(path);
    this.#addons(GLOBAL_ADDONS_FOLDER);
    for (const imageId of running) if (imageId !== undefined) this.#running(imageId);
    for (const id of this.#namedImages) this.imageIds.add(id);
  }

  #problem(subject: string, error: unknown, action: string): void {
    this.problems.push({ subject, error: asSealrootError(error, action) });
  }

  #entries(folder: "live" | "staged"): void {
    const { entries, unusable } = this.#store.list(folder);
    for (const stored of entries) this.#entry(folder, stored);
    for (const { fileName, error } of unusable) {
      const text = this.#entryText(folder, fileName);
      if (text === undefined) continue;
      this.problems.push({ subject: fileName, error });
      const ids = idsIn(text);
      if (ids.length === 0 && (OWN_ENTRY.test(fileName) || fileName === GRUB_MENU)) this.isUnclear = true;
      for (const id of ids) this.#mayBe(id);
    }
  }

  #entry(folder: "live" | "staged", { fileName, entry, deploymentId }: StoredEntry): void {
    const text = this.#entryText(folder, fileName) ?? "";
    const ids = idsIn(text);
    for (const id of idsIn(filesOf(entry))) this.bootFileIds.add(id);
    if (deploymentId !== undefined) this.deploymentIds.add(deploymentId);
    // Ids in a place where we would not look: whoever wrote the entry knows better.
    else for (const id of ids) this.#mayBe(id);
    if (ids.length === 0 && OWN_ENTRY.test(fileName)) {
      this.isUnclear = true;
      this.#problem(fileName, unknownEntry(fileName), "");
    }
    this.#commandLine(entry.options ?? "");
    if (entry.target.type === "uki" && deploymentId !== undefined) this.#ukiPaths.add(entry.target.path);
  }

  /** Any part of a deployment of this id may be meant. */
  #mayBe(id: string): void {
    this.deploymentIds.add(id);
    this.bootFileIds.add(id);
    this.imageIds.add(id);
  }

  /** Undefined for what no boot loader takes for an entry. */
  #entryText(folder: "live" | "staged", fileName: string): string | undefined {
    try {
      const bytes = this.#store.read(folder, fileName);
      if (bytes.length <= ENTRY_MAX_BYTES) return bytes.toString("latin1");
    } catch (error) {
      if (hasErrno(error, "EISDIR")) return undefined;
      this.#problem(fileName, error, "Cannot read the boot entry");
    }
    this.isUnclear = true;
    return "";
  }

  #staged(): void {
    let record: StagedRecord | undefined;
    try {
      record = readStagedRecord(this.#places.runDirectory);
    } catch (error) {
      this.#problem("staged", error, "Cannot read which deployment is staged");
      this.hasStaged = this.#store.hasStaged;
      this.#entries("staged");
      return;
    }
    if (record === undefined) return;
    const { deploymentId } = record;
    const { entries, unusable } = this.#store.list("staged");
    this.hasStaged =
      entries.some((entry) => entry.deploymentId === deploymentId) ||
      unusable.some(({ fileName }) => idsIn(this.#entryText("staged", fileName) ?? "").includes(deploymentId));
    if (this.hasStaged) this.#entries("staged");
    else this.staleRecord = deploymentId;
  }

  #records(): void {
    const { deployments, unusable } = listDeployments(this.#places.physicalRoot);
    for (const { deploymentId } of [...deployments, ...unusable]) this.#recordedIds.add(deploymentId);
    for (const { deploymentId, origin } of deployments) {
      if (origin.pinned) this.#keep(deploymentId, origin.bootType === "uki");
    }
    for (const { deploymentId, error } of unusable) {
      // Of an interrupted staging there is no record; one that cannot be read may say that it is pinned.
      if (error.code === "not-found") continue;
      this.#keep(deploymentId, false);
      this.problems.push({ subject: deploymentId, error });
    }
  }

  /** A deployment that stays, with or without an entry. */
  #keep(deploymentId: string, hasUki: boolean): void {
    if (this.deploymentIds.has(deploymentId)) return;
    this.#mayBe(deploymentId);
    if (!hasUki) this.kernelsAreUnclear = true;
  }

  /** What runs is in use, with and without a boot entry. It may be the second image of its UKI. */
  #running(imageId: string): void {
    this.imageIds.add(imageId);
    if (this.#namedImages.has(imageId) || this.deploymentIds.has(imageId)) return;
    this.#keep(imageId, false);
    this.#uki(ukiPath(imageId));
    if (this.#recordedIds.has(imageId)) return;
    for (const name of this.#namesIn(UKI_DIRECTORY)) {
      const id = deploymentOfUkiPath(name);
      if (id === undefined || this.deploymentIds.has(id)) continue;
      const named = this.#imagesOf(`/${UKI_DIRECTORY}/${name}`);
      // One that cannot be read may be the one that runs.
      if (named !== undefined && named.length > 0 && !named.includes(imageId)) continue;
      this.#mayBe(id);
      for (const image of named ?? []) this.#namedImages.add(image);
    }
  }

  #uki(path: string): void {
    for (const id of this.#imagesOf(path) ?? []) this.#namedImages.add(id);
    this.#addons(addonFolder(path));
  }

  #addons(directory: string): void {
    const names = this.#namesIn(directory).filter((name) => /\.addon\.efi$/i.test(name));
    for (const name of names) {
      for (const id of this.#imagesOf(`${directory}/${name}`) ?? []) this.#namedImages.add(id);
    }
  }

  /** Undefined when there is no such file; what cannot be read may name any image. */
  #imagesOf(path: string): readonly string[] | undefined {
    try {
      const place = placeOfBootFile(this.#places, path);
      if (place === undefined) return undefined;
      const bytes = readFileSync(join(place.directory, place.path));
      return composefsIds(commandLineOf(parsePe(bytes, path), path) ?? "");
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      this.imagesAreUnclear = true;
      this.#problem(path, error, "Cannot read its command line");
      return [];
    }
  }

  /** Of a folder of boot files. */
  #namesIn(directory: string): string[] {
    const place = placeOfBootFile(this.#places, directory);
    return place === undefined ? [] : namesIn(join(place.directory, place.path));
  }

  #commandLine(text: string): void {
    for (const id of composefsIds(text)) this.#namedImages.add(id);
  }
}

/** The paths of an entry: of what it starts, and of device trees and whatever else it may name. */
function filesOf({ target, otherFields }: BootEntry): string {
  const paths = target.type === "uki" ? [target.path] : [target.linux, ...target.initrd];
  return [...paths, ...otherFields.map(([, value]) => value)].join(" ");
}

/** Whatever else is wrong with the arguments. */
function composefsIds(commandLine: string): string[] {
  return idsIn(composefsWords(CommandLine.parse(commandLine)).join(" "));
}

/** Everything in a text that an id could be. */
function idsIn(text: string): string[] {
  return [...text.matchAll(/[0-9a-f]{64,}/gi)]
    .map(([run]) => run.toLowerCase())
    .filter((run) => run.length === 64 || run.length === 128);
}

function espUnknown(): SealrootError {
  return new SealrootError("not-found", "Cannot tell which images the UKIs name: the ESP of this host was not found");
}

function unknownEntry(fileName: string): SealrootError {
  return new SealrootError("unsupported", `Cannot tell which deployment boot entry ${fileName} starts`, {
    path: fileName,
    hint: "remove the entry if nothing needs it",
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw asSealrootError(error, `Cannot list ${directory}`, { path: directory });
  }
}
