/**
 * Looking up something in an image that may be absent, while something else in its place is an error: a folder of
 * configuration that is a file, or a dangling link, is not "no configuration".
 */
import { SealrootError } from "../errors/index.ts";
import type { TreeNode } from "./node.ts";

/** Finds the nodes of an image. Paths are absolute text; symbolic links are followed inside the image. */
export interface NodeFinder {
  /** The node at `path` and the path where it really is; undefined if there is none. */
  resolve(path: string): { readonly path: string; readonly node: TreeNode } | undefined;
  /** The names in a directory, in byte order; empty if it does not exist. */
  list(path: string): string[];
}

const KIND_NAMES: Readonly<Record<TreeNode["kind"], string>> = {
  directory: "a directory",
  file: "a file",
  symlink: "a symbolic link",
  "character-device": "a device",
  "block-device": "a device",
  fifo: "a pipe",
  socket: "a socket",
};

/**
 * Whether there is a regular file, or a link to one.
 * @throws SealrootError `unsupported` naming what is there instead, also on the way to it
 */
export function hasFileAt(image: NodeFinder, path: string): boolean {
  return isAt(image, path, "file");
}

/**
 * Whether there is a directory, or a link to one.
 * @throws SealrootError `unsupported` naming what is there instead, also on the way to it
 */
export function hasDirectoryAt(image: NodeFinder, path: string): boolean {
  return isAt(image, path, "directory");
}

/**
 * The names in a directory, in byte order; none if nothing has that name.
 * @throws SealrootError `unsupported` naming what is there instead, also on the way to it
 */
export function namesAt(image: NodeFinder, path: string): string[] {
  return hasDirectoryAt(image, path) ? image.list(path) : [];
}

/**
 * Paths of the directories in a directory; links are skipped.
 * @throws SealrootError as {@link namesAt}
 */
export function directoriesAt(image: NodeFinder, path: string): string[] {
  return childrenAt(image, path).filter((child) => kindWithoutLink(image, child) === "directory");
}

/**
 * Paths of everything below a directory except directories, in byte order. Links are not followed.
 * @throws SealrootError as {@link namesAt}
 */
export function leavesBelow(image: NodeFinder, path: string): string[] {
  const found: string[] = [];
  const pending = [path];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const child of childrenAt(image, directory)) {
      (kindWithoutLink(image, child) === "directory" ? pending : found).push(child);
    }
  }
  return found.sort();
}

/**
 * Refuses a path that is not a regular file itself.
 * @throws SealrootError `unsupported` naming what it is
 */
export function requirePlainFile(image: NodeFinder, path: string): void {
  const kind = kindWithoutLink(image, path);
  if (kind === "symlink" && resolveOrLoop(image, path) === undefined) throw leadsNowhere(path);
  if (kind !== "file") throw notA(path, kind, "a file");
}

function childrenAt(image: NodeFinder, path: string): string[] {
  const names = namesAt(image, path);
  const base = image.resolve(path)?.path ?? path;
  return names.map((name) => (base === "/" ? `/${name}` : `${base}/${name}`));
}

/** @param path without links on the way: it resolves to another path only if it is a link */
function kindWithoutLink(image: NodeFinder, path: string): TreeNode["kind"] {
  const found = resolveOrLoop(image, path);
  return found?.path === path ? found.node.kind : "symlink";
}

/** A link that leads to itself leads nowhere. */
function resolveOrLoop(image: NodeFinder, path: string): ReturnType<NodeFinder["resolve"]> {
  try {
    return image.resolve(path);
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

function isAt(image: NodeFinder, path: string, wanted: "directory" | "file"): boolean {
  const found = resolveOrLoop(image, path);
  if (found?.node.kind === wanted) return true;
  if (found !== undefined) throw notA(path, found.node.kind, KIND_NAMES[wanted]);
  for (let slash = path.indexOf("/", 1); ; slash = path.indexOf("/", slash + 1)) {
    const prefix = slash < 0 ? path : path.slice(0, slash);
    const nameStart = prefix.lastIndexOf("/") + 1;
    const parent = nameStart === 1 ? "/" : prefix.slice(0, nameStart - 1);
    if (!image.list(parent).includes(prefix.slice(nameStart))) return false;
    const there = resolveOrLoop(image, prefix);
    if (there === undefined) throw leadsNowhere(prefix);
    if (there.node.kind !== "directory") throw notA(prefix, there.node.kind, "a directory");
    if (slash < 0) return false;
  }
}

/** A name that its directory lists but that cannot be found. */
function leadsNowhere(path: string): SealrootError {
  const reason = path.includes("\ufffd") ? "its name is not UTF-8" : "it is a symbolic link to nothing";
  return new SealrootError("unsupported", `Cannot use ${path} in the image: ${reason}`, { path });
}

function notA(path: string, kind: TreeNode["kind"], wanted: string): SealrootError {
  return new SealrootError("unsupported", `Cannot use ${path} in the image: it is ${KIND_NAMES[kind]}, not ${wanted}`, {
    path,
    expected: wanted,
    actual: KIND_NAMES[kind],
  });
}
