/**
 * Files of a file system without a journal (FAT), changed in an order that a power cut cannot harm: a name never leads to
 * clusters that are free or another file's. At worst a cut leaves clusters that belong to nobody.
 *
 * What must be known of Linux's vfat (fs/fat; the same in 6.0 to 6.18):
 *  - rename(2) makes the new name without its content's place; that is written with the *file's* inode. Making only the
 *    directory durable leaves an empty file under the new name. Exchanged names are written with the two inodes as well.
 *  - Freed clusters reach the disk with any fsync(2) of the file system, names that led to them only with that of their
 *    directory. An open file keeps its clusters until it is closed.
 *  - A directory that has no room for a name gets a cluster, and both sectors of the table that say so are written at once. Of
 *    a directory with one of them only, firmware sees nothing at all (edk2, FatPhysicalDirSize).
 *  - fsync(2) flushes the disk's cache, syncfs(2) does not.
 *
 * On file systems with a journal all this is right too, only slower.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { hasErrno, SealrootError } from "../errors/index.ts";
import { removeTree } from "./remove-tree.ts";
import { renameExchange } from "./rename.ts";
import { syncDirectory, syncFileSystem, writeOutContent } from "./sync.ts";
import { isTemporaryName, temporaryName } from "./temporary-name.ts";

/**
 * Makes a file that does not exist, of mode 0600 where there are modes. Durable on return.
 * @throws Error of the system, EEXIST …
 */
export function createInOrder(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, "wx", 0o600);
  try {
    writeFileSync(fd, bytes);
    // Content, the name, still of an empty file, and that its clusters are taken; only then where they are.
    writeOutContent(fd);
    syncDirectory(dirname(path));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Makes the file, or replaces it: before and after there is the whole file, old or new. It grows under a temporary name; what
 * a killed process left under such a name in the same directory is removed. Durable on return.
 *
 * @param purpose lower-case letters, part of the temporary name
 */
export function replaceInOrder(path: string, bytes: Uint8Array, purpose: string): void {
  const parent = dirname(path);
  for (const name of readdirSync(parent).filter(isTemporaryName)) {
    if (lstatSync(join(parent, name)).isFile()) removeInOrder(join(parent, name));
  }
  const temporary = join(parent, temporaryName(purpose));
  createInOrder(temporary, bytes);
  holding([path, temporary], () => {
    renameSync(temporary, path);
    // First that the temporary name is gone; were it there when the name leads to its content, both would.
    syncDirectory(parent);
    syncFile(path);
  });
}

/** A name of one slot: nothing else in the directory has to move for it. */
const DRAFT = /^SEALROOT\.[0-9]{3}$/i;

/**
 * Makes a directory. It is filled under another name and durable before it gets its own: of a new directory the name can
 * be on the disk and its content not, and whoever only looks at such a one makes Linux turn the file system read-only. What
 * a cut leaves under the other name is therefore never looked at on FAT, and never used again; it has a cluster of its own
 * and harms nothing.
 *
 * @param path does not exist
 * @param fill puts into the directory of this path what is to be in it
 */
export function makeDirectoryInOrder(path: string, fill: (draft: string) => void): void {
  const parent = dirname(path);
  const draft = join(parent, unusedDraft(parent));
  mkdirSync(draft);
  // That its cluster is taken, which the fsync of any other file of the file system makes durable; only then its name.
  const above = dirname(parent);
  if (statSync(above).dev === statSync(parent).dev) syncDirectory(above);
  syncDirectory(parent);
  fill(draft);
  renameSync(draft, path);
  // First where it lies: under its own name a directory must not be without clusters. Both names in one sector change at once;
  // otherwise it may be there under both.
  syncDirectory(path);
  syncDirectory(parent);
}

function unusedDraft(parent: string): string {
  const used = readdirSync(parent).filter((name) => DRAFT.test(name));
  if (!isFat(parent)) for (const name of used.splice(0)) removeTree(join(parent, name));
  const numbers = new Set(used.map((name) => Number(name.slice(-3))));
  for (let number = 0; number < 1000; number++) {
    if (!numbers.has(number)) return `SEALROOT.${String(number).padStart(3, "0")}`;
  }
  throw new SealrootError("conflict", `Cannot make a directory in ${parent}: a thousand unfinished ones are there`, {
    path: parent,
    hint: "unmount it and run fsck.vfat -a on its device, then remove them",
  });
}

/** MSDOS_SUPER_MAGIC (linux/magic.h). */
const FAT_TYPE = 0x4d44;

function isFat(path: string): boolean {
  return statfsSync(path).type === FAT_TYPE;
}

/**
 * Gives a directory that nobody uses yet room for so many characters of names, so that it need not grow later.
 *
 * @param nameLengths of all files that will be in it at a time
 */
export function reserveNames(directory: string, nameLengths: readonly number[]): void {
  const spare = temporaryName("spare");
  const slots = nameLengths.reduce((sum, length) => sum + slotsOf(length), 0);
  const paths = Array.from({ length: Math.ceil(slots / slotsOf(spare.length)) }, () =>
    join(directory, temporaryName("spare")),
  );
  for (const path of paths) writeFileSync(path, "", { flag: "wx" });
  syncDirectory(directory);
  // Empty files have no clusters, and their names may go in any order.
  for (const path of paths) unlinkSync(path);
  syncDirectory(directory);
}

/** Of 32 bytes: 13 characters of a long name each, and one for the short one (Microsoft FAT specification 1.03). */
function slotsOf(nameLength: number): number {
  return Math.ceil(nameLength / 13) + 1;
}

/** Removes a file, or an empty directory, that exists. Durable on return. */
export function removeInOrder(path: string): void {
  holding([path], () => {
    if (lstatSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
    syncDirectory(dirname(path));
  });
}

/** Removes a directory that has only files in it. Durable on return. */
export function removeDirectoryInOrder(path: string): void {
  const files = readdirSync(path).map((name) => join(path, name));
  holding(files, () => {
    for (const file of files) unlinkSync(file);
    syncDirectory(path);
  });
  removeInOrder(path);
}

/** Exchanges two names of one directory. Durable on return; until then, nothing of either must be removed. */
export function exchangeInOrder(first: string, second: string): void {
  renameExchange(first, second);
  const fd = openSync(dirname(first), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // Both inodes before any sector is written: one after the other, both names would lead to one of the two meanwhile.
    syncFileSystem(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What the files have on the disk stays theirs until `change` has returned; those that do not exist are passed over. */
function holding(paths: readonly string[], change: () => void): void {
  const held: number[] = [];
  try {
    for (const path of paths) {
      try {
        held.push(openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW));
      } catch (error) {
        if (!hasErrno(error, "ENOENT")) throw error;
      }
    }
    change();
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

function syncFile(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
