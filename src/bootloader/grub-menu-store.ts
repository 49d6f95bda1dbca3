/** GRUB's menu of UKIs as a store of boot entries: `grub2/user.cfg` and what is staged beside it (spec/host.md 1.5, 1.7). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type BootEntry,
  formatGrubMenu,
  type GrubMenuBlock,
  type GrubMenuPart,
  grubMenuBlock,
  labelOfGrubTitle,
  parseBootEntry,
  parseGrubMenu,
} from "../bls/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { exchangeInOrder, removeInOrder, replaceInOrder } from "../platform/index.ts";
import type { EntryListing, EntryStore, NewEntry, StoredEntry, UnusableEntry } from "./entry-store.ts";

/** What can be done with boot entries, wherever they are kept. */
export type BootEntryStore = Pick<EntryStore, keyof EntryStore>;

/** Below the boot directory. */
export const GRUB_MENU_FOLDER = "grub2";
/** The menu that GRUB reads, and in errors the name of one that cannot be read. */
export const GRUB_MENU = "user.cfg";
export const STAGED_GRUB_MENU = "user.cfg.staged";
/** More is not a menu but an attack on memory. */
const MENU_MAX_BYTES = 1 << 20;

/**
 * An entry is called `user.cfg:<deployment id>`, or by its title for another system's; it has no file. Staged entries are given
 * as texts of Type 1 and become entries of the menu in the order given.
 */
export class GrubMenuStore implements BootEntryStore {
  readonly #folder: string;

  /** @param bootDirectory holds `grub2/` */
  constructor(bootDirectory: string) {
    this.#folder = join(bootDirectory, GRUB_MENU_FOLDER);
  }

  /** In the order of the menu; a menu that cannot be read is one unusable entry. @throws SealrootError of the system */
  list(folder: "live" | "staged"): EntryListing {
    try {
      return listingOf(this.#parts(folder));
    } catch (error) {
      if (error instanceof SealrootError && error.code === "corrupt") {
        return { entries: [], unusable: [{ fileName: GRUB_MENU, error }] };
      }
      throw error;
    }
  }

  /** GRUB counts no boots: there is nothing to be said in a name. @throws SealrootError `not-found` */
  assess(fileName: string): string {
    this.#block("live", fileName, "Cannot mark the boot entry");
    return fileName;
  }

  /** The bytes of an entry, or of the whole menu by its own name. @throws SealrootError `not-found` */
  read(folder: "live" | "staged", fileName: string): Buffer {
    if (fileName === GRUB_MENU) return readFileSync(this.#path(folder));
    return Buffer.from(this.#block(folder, fileName, "Cannot read the boot entry").text, "utf8");
  }

  /** In one step for all; a name that is gone already is fine. */
  remove(folder: "live" | "staged", names: readonly string[]): void {
    const parts = this.#parts(folder);
    const gone = new Set(named(parts).flatMap(({ fileName, block }) => (names.includes(fileName) ? [block] : [])));
    if (gone.size === 0) return;
    const left = parts.filter((part) => typeof part === "string" || !gone.has(part));
    this.#write(folder, left.filter(isOfDeployment), left);
  }

  /** Writes another menu beside the live one, in which entries that stay have every byte they had. */
  stage(entries: readonly NewEntry[]): void {
    const live = this.#parts("live");
    this.#write("staged", blocksOf(entries, live), live);
  }

  /** One file for all. */
  sizesOf(entries: readonly NewEntry[]): { readonly path: string; readonly bytes: number }[] {
    const live = this.#parts("live");
    const bytes = Buffer.byteLength(formatGrubMenu(blocksOf(entries, live), live));
    return [{ path: `${GRUB_MENU_FOLDER}/${GRUB_MENU}`, bytes }];
  }

  /** In one step. @throws SealrootError `not-found` */
  replace(folder: "live" | "staged", { fileName, text }: NewEntry): void {
    const parts = this.#parts(folder);
    const old = this.#block(folder, fileName, "Cannot replace the boot entry");
    const block = blockOf(parseBootEntry(text, `boot entry ${fileName}`), []);
    const blocks = parts.filter(isOfDeployment).map((one) => (one.text === old.text ? block : one));
    this.#write(folder, blocks, parts);
  }

  get hasStaged(): boolean {
    return this.#bytes("staged") !== undefined;
  }

  discardStaged(): void {
    try {
      if (this.hasStaged) removeInOrder(this.#path("staged"));
    } catch (error) {
      throw asSealrootError(error, "Cannot drop the staged boot entries", { path: this.#path("staged") });
    }
  }

  /** Exchanges the menus in one step. @throws SealrootError `not-found` when nothing is staged */
  activate(): void {
    if (!this.hasStaged) {
      throw new SealrootError("not-found", "Cannot switch boot entries: none are staged", { path: this.#folder });
    }
    try {
      exchangeInOrder(this.#path("staged"), this.#path("live"));
    } catch (error) {
      throw asSealrootError(error, "Cannot switch boot entries", { path: this.#folder });
    }
    this.discardStaged();
  }

  #path(folder: "live" | "staged"): string {
    return join(this.#folder, folder === "live" ? GRUB_MENU : STAGED_GRUB_MENU);
  }

  #bytes(folder: "live" | "staged"): Buffer | undefined {
    const path = this.#path(folder);
    try {
      return readFileSync(path);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw asSealrootError(error, `Cannot read ${path}`, { path });
    }
  }

  #parts(folder: "live" | "staged"): GrubMenuPart[] {
    const bytes = this.#bytes(folder) ?? Buffer.alloc(0);
    const path = this.#path(folder);
    if (bytes.length > MENU_MAX_BYTES) {
      throw new SealrootError("corrupt", `Cannot read GRUB's menu ${path}: it has ${bytes.length} bytes`, {
        path,
        expected: `at most ${MENU_MAX_BYTES} bytes`,
      });
    }
    return parseGrubMenu(bytes.toString("utf8"), `GRUB's menu ${path}`);
  }

  #block(folder: "live" | "staged", fileName: string, action: string): GrubMenuBlock {
    const found = named(this.#parts(folder)).find((one) => one.fileName === fileName);
    if (found !== undefined) return found.block;
    const path = this.#path(folder);
    throw new SealrootError("not-found", `${action} ${fileName}: it does not exist`, { path });
  }

  #write(folder: "live" | "staged", blocks: readonly GrubMenuBlock[], before: readonly GrubMenuPart[]): void {
    const path = this.#path(folder);
    try {
      replaceInOrder(path, Buffer.from(formatGrubMenu(blocks, before), "utf8"), "boot");
    } catch (error) {
      throw asSealrootError(error, "Cannot write GRUB's menu", { path });
    }
  }
}

function listingOf(parts: readonly GrubMenuPart[]): EntryListing {
  const entries: StoredEntry[] = [];
  const unusable: UnusableEntry[] = [];
  const seen = new Set<string>();
  for (const { fileName, block } of named(parts)) {
    const { deploymentId, chainloader } = block;
    // Of another system, and started in another way: no entry that can be described here.
    if (chainloader === undefined) continue;
    if (deploymentId === undefined || !seen.has(deploymentId)) {
      entries.push({ fileName, entry: entryOf(block, chainloader), deploymentId });
    } else {
      const what = `Cannot use boot entry ${fileName}: another one starts the same deployment`;
      unusable.push({ fileName, error: new SealrootError("conflict", what, { hint: "remove one of the two" }) });
    }
    if (deploymentId !== undefined) seen.add(deploymentId);
  }
  return { entries, unusable };
}

/** Entries with names of which each is there once. */
function named(parts: readonly GrubMenuPart[]): { readonly fileName: string; readonly block: GrubMenuBlock }[] {
  const counts = new Map<string, number>();
  return parts.flatMap((block) => {
    if (typeof block === "string") return [];
    const name = `${GRUB_MENU}:${block.deploymentId ?? block.title}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return [{ fileName: count === 1 ? name : `${name}#${count}`, block }];
  });
}

function isOfDeployment(part: GrubMenuPart): part is GrubMenuBlock {
  return typeof part !== "string" && part.deploymentId !== undefined;
}

function entryOf(block: GrubMenuBlock, path: string): BootEntry {
  return {
    title: labelOfGrubTitle(block),
    // The menu has none; an entry must.
    version: block.deploymentId ?? block.title,
    target: { type: "uki", key: "efi", path },
    options: undefined,
    machineId: undefined,
    sortKey: undefined,
    otherFields: [],
  };
}

function blocksOf(entries: readonly NewEntry[], live: readonly GrubMenuPart[]): GrubMenuBlock[] {
  return entries.map(({ text, fileName }) => blockOf(parseBootEntry(text, `boot entry ${fileName}`), live));
}

/** The entry as it stands in the menu, or a new one. */
function blockOf({ title, target }: BootEntry, live: readonly GrubMenuPart[]): GrubMenuBlock {
  if (target.type !== "uki") {
    throw new SealrootError("unsupported", "Cannot write GRUB's menu: it starts UKIs, and this entry starts a kernel");
  }
  const present = live.find((part) => isOfDeployment(part) && part.chainloader === target.path);
  if (present !== undefined && typeof present !== "string") return present;
  const deploymentId = /([0-9a-f]{128}|[0-9a-f]{64})\.efi$/.exec(target.path)?.[1] ?? "";
  return grubMenuBlock(title ?? deploymentId, deploymentId, target.path);
}
