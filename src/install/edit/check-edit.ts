/** Reads a changed file system back and compares it with what should have been changed. */

import { closeSync, openSync, readSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../../bytes/index.ts";
import {
  checkWithE2fsck,
  type Ext4Change,
  type Ext4NewFile,
  type Ext4Tree,
  readInstalledDisk,
  type WorkDisk,
} from "../../disk/index.ts";
import { corrupt, hasErrno, SealrootError } from "../../errors/index.ts";
import { readUpTo } from "../../platform/index.ts";
import { PERMISSION_MASK, quotePath } from "../../tree/index.ts";

/**
 * Compares kind, mode, owner, attributes and every byte of what was made, sees that what was removed is gone, and has
 * e2fsck check the whole file system.
 *
 * @param originalPath the disk before the change, to tell our faults from older ones
 * @throws SealrootError `corrupt` naming the first difference
 */
export async function checkEdit(
  disk: WorkDisk,
  startBytes: number,
  changes: readonly Ext4Change[],
  originalPath: string,
): Promise<void> {
  const path = join(disk.directory, disk.path);
  const fd = openSync(path, "r");
  try {
    const { root } = await readInstalledDisk(fd, path);
    const made = new Set(changes.flatMap((change) => (change.type === "make" ? [placeOf(change)] : [])));
    for (const change of changes) {
      if (change.type === "make") checkMade(root, change.directory, change.name, change.file);
      // Directories in removed directories are gone with them, and their inodes may be others' now.
      else if (!made.has(placeOf(change)) && !isGone(changes, change.directory, root)) checkRemoved(root, change);
    }
  } finally {
    closeSync(fd);
  }
  await checkFileSystem(disk, startBytes, originalPath);
}

function placeOf({ directory, name }: Ext4Change): string {
  return `${directory}/${name}`;
}

function checkRemoved(tree: Ext4Tree, { directory, name }: Ext4Change): void {
  if (tree.child(tree.reader.file(directory), name) !== undefined) throw differs(name, "it is still there");
}

function isGone(changes: readonly Ext4Change[], directory: number, { reader }: Ext4Tree): boolean {
  if (!changes.some((change) => change.type === "remove" && change.isDirectory)) return false;
  try {
    return reader.file(directory).kind !== "directory";
  } catch (error) {
    if (error instanceof SealrootError && error.code === "corrupt") return true;
    throw error;
  }
}

function checkMade(tree: Ext4Tree, directory: number, name: ByteString, planned: Ext4NewFile): void {
  const { reader } = tree;
  const found = tree.child(reader.file(directory), name);
  if (found === undefined) throw differs(name, "it is not there");
  if (found.kind !== planned.kind) throw differs(name, `it is a ${found.kind}`);
  const facts = [found.mode & PERMISSION_MASK, found.uid, found.gid].join(" ");
  if (facts !== [planned.mode, planned.uid, planned.gid].join(" ")) throw differs(name, "it has another mode or owner");
  const xattrs = reader.xattrs(found);
  const isSame = [...planned.xattrs].every(
    ([key, value]) => Buffer.compare(xattrs.get(key) ?? Buffer.of(0), value) === 0,
  );
  if (!isSame || xattrs.size !== planned.xattrs.size) throw differs(name, "it has other extended attributes");
  if (planned.kind === "directory") {
    if (tree.names(found).size !== planned.entries.size) throw differs(name, "it has more or fewer files");
    for (const [child, file] of planned.entries) checkMade(tree, found.inode, child, file);
  } else if (planned.kind === "symlink") {
    if (reader.target(found) !== planned.target) throw differs(name, "it leads elsewhere");
  } else {
    checkContent(name, planned.source, reader.pieces(found));
  }
}

function checkContent(name: ByteString, source: string, pieces: Iterable<Uint8Array>): void {
  const fd = openSync(source, "r");
  try {
    let offset = 0;
    for (const piece of pieces) {
      const own = Buffer.alloc(piece.length);
      const isSame = readUpTo(fd, own, offset) === own.length && Buffer.compare(own, piece) === 0;
      if (!isSame) throw differs(name, "it has other content; was its source being written?");
      offset += piece.length;
    }
    if (readSync(fd, Buffer.alloc(1), 0, 1, offset) !== 0) throw differs(name, "it is shorter than its source");
  } catch (error) {
    if (hasErrno(error, "EISDIR")) throw differs(name, "its source is a directory now");
    throw error;
  } finally {
    closeSync(fd);
  }
}

function differs(name: ByteString, state: string): SealrootError {
  return corrupt(`Cannot accept the changed disk: ${quotePath(name)} is not what was put there: ${state}`);
}

async function checkFileSystem(disk: WorkDisk, startBytes: number, originalPath: string): Promise<void> {
  try {
    await checkWithE2fsck(disk, startBytes);
  } catch (error) {
    const name = "original";
    symlinkSync(originalPath, join(disk.directory, name));
    try {
      await checkWithE2fsck({ directory: disk.directory, path: name }, startBytes);
    } catch (older) {
      if (!(older instanceof SealrootError && older.code === "corrupt")) throw older;
      throw new SealrootError("corrupt", `Cannot edit the disk: it had errors before: ${older.message}`, {
        path: originalPath,
        hint: "boot it, whose fsck repairs them, or run e2fsck(8) on its root partition",
      });
    }
    throw error;
  }
}
