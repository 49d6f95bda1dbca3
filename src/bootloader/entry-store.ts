/**
 * The boot entries of a system as a store: read, staged beside the live ones, and switched in one step (spec/host.md 1.6
 * and 1.7). The boot directory is the ESP, or `/boot` for GRUB.
 */
import { lstatSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  assessedName,
  type BootAssessment,
  compareForGrub,
  compareForSystemdBoot,
  deploymentOfEntry,
  type NamedEntry,
  parseBootEntry,
  parseCountedName,
} from "../bls/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import {
  createInOrder,
  exchangeInOrder,
  isTemporaryName,
  makeDirectoryInOrder,
  removeDirectoryInOrder,
  removeInOrder,
  reserveNames,
  syncDirectory,
  temporaryName,
} from "../platform/index.ts";
import { writeEspFile } from "./esp-file.ts";

/** How a boot loader orders its menu. */
export type MenuOrder = "systemd-boot" | "grub";

const COMPARE = { "systemd-boot": compareForSystemdBoot, grub: compareForGrub } as const;

/** An entry of the menu. */
export interface StoredEntry extends NamedEntry {
  /** Undefined for an entry of another system. */
  readonly deploymentId: string | undefined;
}

/** A file among the entries that is not one, or is unusable. */
export interface UnusableEntry {
  readonly fileName: string;
  readonly error: SealrootError;
}

export interface EntryListing {
  /** In the order of the menu, the default first. */
  readonly entries: readonly StoredEntry[];
  readonly unusable: readonly UnusableEntry[];
}

/** A file to be staged. */
export interface NewEntry {
  readonly fileName: string;
  readonly text: string;
}

const LIVE = "entries";
const STAGED = "entries.staged";
/** Begins the name of what was staged and must not be touched any more. */
const LOST = "entries.lost";
/** More is not an entry but an attack on memory. */
const ENTRY_MAX_BYTES = 1 << 20;

export class EntryStore {
  readonly #loader: string;
  readonly #order: MenuOrder;

  /** @param bootDirectory holds `loader/` */
  constructor(bootDirectory: string, order: MenuOrder) {
    this.#loader = join(bootDirectory, "loader");
    this.#order = order;
  }

  /**
   * The entries, one bad one never hiding the others. Names that differ in their boot counter alone are one entry, as boot
   * loaders see it: of two, the first in the menu's order is the entry, the other one unusable.
   *
   * @throws SealrootError when the folder cannot be listed; one that is absent has no entries
   */
  list(folder: "live" | "staged"): EntryListing {
    const directory = this.#directory(folder);
    const entries: StoredEntry[] = [];
    const unusable: UnusableEntry[] = [];
    for (const fileName of entryFileNames(directory)) {
      const path = join(directory, fileName);
      try {
        const entry = parseBootEntry(readEntry(path), `boot entry ${path}`);
        entries.push({ fileName, entry, deploymentId: deploymentOfEntry(entry) });
      } catch (error) {
        unusable.push({ fileName, error: asSealrootError(error, `Cannot read boot entry ${path}`, { path }) });
      }
    }
    const first = new Map<string, StoredEntry>();
    for (const entry of entries.sort(COMPARE[this.#order])) {
      const other = first.get(entryKey(entry.fileName));
      if (other === undefined) first.set(entryKey(entry.fileName), entry);
      else unusable.push({ fileName: entry.fileName, error: sameEntry(join(directory, entry.fileName), other) });
    }
    return { entries: [...first.values()], unusable };
  }

  /**
   * Says of a live entry how its boot went, in its name: as systemd-bless-boot(8) does. Durable on return.
   *
   * The entry is copied to its new name before the old one goes: a rename on FAT leaves an empty file for a moment.
   *
   * @param fileName with any counter, or none: the boot loader counts in the name between two looks at it
   * @returns the name it has now
   * @throws SealrootError `not-found` when there is no such entry, `conflict` when another file has the name already
   */
  assess(fileName: string, assessment: BootAssessment): string {
    const directory = this.#directory("live");
    const found = this.list("live").entries.find((entry) => entryKey(entry.fileName) === entryKey(fileName));
    const what = `Cannot mark boot entry ${parseCountedName(fileName).base} as ${assessment}`;
    if (found === undefined) throw new SealrootError("not-found", `${what}: it does not exist`, { path: directory });
    const name = assessedName(found.fileName, assessment);
    try {
      const bytes = readFileSync(join(directory, found.fileName));
      const others = fileNames(directory).filter(
        (other) => other !== found.fileName && entryKey(other) === entryKey(name),
      );
      // What an assessment that was cut short left: the entry under both names, or an empty file.
      const left = others.filter((other) => isLeftOf(bytes, join(directory, other)));
      if (others.some((other) => sameFile(other, name) && !left.includes(other))) {
        throw new SealrootError("conflict", `${what}: there is a file ${name} already`, {
          path: join(directory, name),
        });
      }
      for (const other of left) removeInOrder(join(directory, other));
      if (name !== found.fileName) {
        createInOrder(join(directory, name), bytes);
        removeInOrder(join(directory, found.fileName));
      }
    } catch (error) {
      throw asSealrootError(error, what, { path: join(directory, found.fileName) });
    }
    return name;
  }

  /**
   * The bytes of a file among the entries, usable or not.
   * @throws Error of the system when it cannot be read
   */
  read(folder: "live" | "staged", fileName: string): Buffer {
    return readFileSync(join(this.#directory(folder), fileName));
  }

  /**
   * Removes entries one by one, the first first; durable on return. A name that is gone already is fine.
   * @throws SealrootError when one cannot be removed
   */
  remove(folder: "live" | "staged", names: readonly string[]): void {
    const directory = this.#directory(folder);
    for (const name of names) {
      const path = join(directory, name);
      try {
        removeInOrder(path);
      } catch (error) {
        if (hasErrno(error, "ENOENT")) continue;
        throw asSealrootError(error, `Cannot remove boot entry ${name}`, { path });
      }
    }
  }

  /**
   * Writes a new set of entries beside the live ones; what was staged before is dropped. Files that are live now and
   * belong to other systems, or cannot be read, are taken along byte for byte: they are not ours to lose.
   *
   * All is durable on return, and nothing of it is seen by a boot loader.
   */
  stage(entries: readonly NewEntry[]): void {
    const directory = this.#directory("staged");
    const live = this.#directory("live");
    const names = new Set(entries.map(({ fileName }) => entryKey(fileName)));
    const ours = new Set(
      this.list("live").entries.flatMap(({ fileName, deploymentId }) => (deploymentId === undefined ? [] : [fileName])),
    );
    const foreign = fileNames(live).filter(
      (name) => !ours.has(name) && !names.has(entryKey(name)) && !isTemporaryName(name),
    );
    try {
      this.#dropStaged();
      makeDirectoryInOrder(directory, (draft) => {
        // The names of the set, and that of an entry that is being assessed.
        const lengths = [...entries.map(({ fileName }) => fileName), ...foreign].map(({ length }) => length);
        reserveNames(draft, [...lengths, Math.max(0, ...lengths)]);
        for (const { fileName, text } of entries) createInOrder(join(draft, fileName), Buffer.from(text, "utf8"));
        for (const name of foreign) createInOrder(join(draft, name), readFileSync(join(live, name)));
      });
    } catch (error) {
      throw asSealrootError(error, "Cannot stage boot entries", { path: directory });
    }
  }

  /**
   * Replaces the text of one entry, in one step; durable on return.
   * @throws SealrootError `not-found` when there is no such entry
   */
  replace(folder: "live" | "staged", { fileName, text }: NewEntry): void {
    const directory = this.#directory(folder);
    const path = join(directory, fileName);
    if (!fileNames(directory).includes(fileName)) {
      throw new SealrootError("not-found", `Cannot replace boot entry ${path}: it does not exist`, { path });
    }
    writeEspFile(directory, { path: fileName, bytes: Buffer.from(text, "utf8") });
  }

  /** What the files of a set would be called and how long they would be, for {@link stage}. */
  sizesOf(entries: readonly NewEntry[]): { readonly path: string; readonly bytes: number }[] {
    return entries.map(({ fileName, text }) => ({
      path: `loader/${LIVE}/${fileName}`,
      bytes: Buffer.byteLength(text),
    }));
  }

  /** True when a set of entries waits to be activated. */
  get hasStaged(): boolean {
    return fileNames(this.#loader).includes(STAGED);
  }

  /** Drops what is staged. */
  discardStaged(): void {
    try {
      this.#dropStaged();
    } catch (error) {
      throw asSealrootError(error, "Cannot drop the staged boot entries", { path: this.#directory("staged") });
    }
  }

  /**
   * Makes the staged entries the live ones: both names are exchanged in one step, at every moment the boot loader finds
   * one whole set, also when the power goes. The old set is removed only when the new one is durable. Needs Linux 6.0 on
   * FAT (renameat2(2), RENAME_EXCHANGE).
   *
   * @throws SealrootError `not-found` when nothing is staged; `unsupported` for a kernel that cannot exchange names
   */
  activate(): void {
    if (!this.hasStaged) {
      throw new SealrootError("not-found", "Cannot switch boot entries: none are staged", { path: this.#loader });
    }
    const [staged, live] = [this.#directory("staged"), this.#directory("live")];
    try {
      exchangeInOrder(staged, live);
    } catch (error) {
      throw asSealrootError(error, "Cannot switch boot entries", { path: this.#loader });
    }
    // The old set is under the other name now. That it stays after a failure here does no harm.
    this.discardStaged();
  }

  /**
   * Removes what has the staged name, if it is what we put there. A power cut on FAT can leave something else: the live
   * folder under both names, when these are in two sectors of which one was written. Removing that would take the clusters
   * of the live entries, so it gets another name, and fsck.vfat(8) removes it.
   */
  #dropStaged(): void {
    const [staged, live] = [this.#directory("staged"), this.#directory("live")];
    if (!this.hasStaged) return;
    if (isSetOfEntries(staged, live) && !isSameDirectory(staged, live)) removeDirectoryInOrder(staged);
    else renameSync(staged, join(this.#loader, `${LOST}-${temporaryName("set").slice(-8)}`));
    syncDirectory(this.#loader);
  }

  #directory(folder: "live" | "staged"): string {
    return join(this.#loader, folder === "live" ? LIVE : STAGED);
  }
}

/** What makes two file names one entry: all but the counter, and case, which FAT does not tell apart. */
function entryKey(fileName: string): string {
  return parseCountedName(fileName).base.toLowerCase();
}

function sameFile(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function sameEntry(path: string, { fileName }: StoredEntry): SealrootError {
  return new SealrootError("conflict", `Cannot use boot entry ${path}: ${fileName} is the same entry`, {
    path,
    hint: "remove one of the two",
  });
}

/** Names of a folder that boot loaders look at, sorted; the endings of names have no case on FAT. */
function entryFileNames(directory: string): string[] {
  return fileNames(directory).filter((name) => name.toLowerCase().endsWith(".conf") && !isTemporaryName(name));
}

function fileNames(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw asSealrootError(error, `Cannot list ${directory}`, { path: directory });
  }
}

function readEntry(path: string): string {
  const bytes = readFileSync(path);
  if (bytes.length <= ENTRY_MAX_BYTES) return bytes.toString("utf8");
  throw new SealrootError("corrupt", `Cannot read boot entry ${path}: it has ${bytes.length} bytes`, {
    path,
    expected: `at most ${ENTRY_MAX_BYTES} bytes`,
  });
}

/** Whether everything in the folder is what {@link EntryStore.stage} puts there. */
function isSetOfEntries(directory: string, live: string): boolean {
  const known = new Set(fileNames(live));
  return fileNames(directory).every((name) => {
    const isExpected = name.toLowerCase().endsWith(".conf") || known.has(name) || isTemporaryName(name);
    return isExpected && lstatSync(join(directory, name)).isFile();
  });
}

/** Two names of one directory, which Linux takes for two: what appears in one is in the other. */
function isSameDirectory(first: string, second: string): boolean {
  const names = fileNames(first);
  if (names.length === 0 || names.join("/") !== fileNames(second).join("/")) return false;
  // An empty file has no clusters, so that its removal frees none.
  const probe = temporaryName("probe");
  writeFileSync(join(first, probe), "", { flag: "wx" });
  try {
    return fileNames(second).includes(probe);
  } finally {
    unlinkSync(join(first, probe));
  }
}

function isLeftOf(entry: Buffer, path: string): boolean {
  const bytes = readFileSync(path);
  return bytes.length === 0 || bytes.equals(entry);
}
