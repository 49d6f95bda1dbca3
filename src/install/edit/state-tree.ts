/** The file tree of a deployment as it is seen when it runs: its image, with its own `/etc` and the shared `/var` on top. */
import type { ByteString } from "../../bytes/index.ts";
import type { Ext4File, Ext4Tree } from "../../disk/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import { type DirectoryNode, NAME_MAX_BYTES, quotePath, type TreeNode } from "../../tree/index.ts";

/** What is kept on the disk and may be changed. */
export type StateArea = "etc" | "var";

/** Something in the tree: of the state, or of the sealed image. */
export type StatePlace =
  | { readonly of: "state"; readonly area: StateArea; readonly file: Ext4File }
  | { readonly of: "image"; readonly node: TreeNode };

export interface ResolvedState {
  /** Free of links: where the path really leads. */
  readonly path: ByteString;
  /** The last part that exists. */
  readonly place: StatePlace;
  /** The directory it is in, and its name there; undefined for the root. */
  readonly parent: { readonly place: StatePlace; readonly name: ByteString } | undefined;
  /** The parts that do not exist. */
  readonly missing: readonly ByteString[];
}

/** MAXSYMLINKS of the Linux kernel. */
const LINKS_FOLLOWED_MAX = 40;
const AREAS: ReadonlySet<string> = new Set<StateArea>(["etc", "var"]);

export class StateTree {
  readonly disk: Ext4Tree;
  readonly #image: DirectoryNode;
  readonly #areas: Readonly<Record<StateArea, Ext4File>>;

  constructor(disk: Ext4Tree, image: DirectoryNode, areas: Readonly<Record<StateArea, Ext4File>>) {
    this.disk = disk;
    this.#image = image;
    this.#areas = areas;
  }

  /**
   * Finds a path as the running system would: links are followed inside the tree, absolute ones from its root, and `..`
   * never leads out of it.
   *
   * @param path absolute
   * @param followLast whether a link at the end is followed
   * @throws SealrootError `usage` for a path that is none; `corrupt` after 40 links; `not-found` below something that does
   *   not exist or is no directory
   */
  resolve(path: ByteString, followLast: boolean): ResolvedState {
    checkPath(path);
    const stack: { readonly name: ByteString; readonly place: StatePlace }[] = [];
    const pending = (path.split("/") as ByteString[]).reverse();
    const root: StatePlace = { of: "image", node: this.#image };
    let linksFollowed = 0;
    const missing: ByteString[] = [];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === "" || name === ".") continue;
      if (missing.length > 0) {
        if (name === "..") throw notFound(path, "there is no such directory");
        missing.push(name);
        continue;
      }
      if (name === "..") {
        stack.pop();
        continue;
      }
      const parent = stack.at(-1)?.place ?? root;
      if (!isDirectory(parent)) throw notFound(path, "it leads through something that is not a directory");
      const place = stack.length === 0 ? this.#atRoot(name) : this.#child(parent, name);
      if (place === undefined) {
        missing.push(name);
        continue;
      }
      const target = this.#target(place);
      if (target === undefined || (!followLast && pending.every((rest) => rest === ""))) {
        stack.push({ name, place });
        continue;
      }
      if (++linksFollowed > LINKS_FOLLOWED_MAX) {
        throw corrupt(`Cannot resolve ${quotePath(path)}: more than ${LINKS_FOLLOWED_MAX} symbolic links`, { path });
      }
      if (target.startsWith("/")) stack.length = 0;
      pending.push(...(target.split("/") as ByteString[]).reverse());
    }
    const last = stack.at(-1);
    const parent = last && { place: stack.at(-2)?.place ?? root, name: last.name };
    const names = [...stack.map(({ name }) => name), ...missing];
    return { path: `/${names.join("/")}` as ByteString, place: last?.place ?? root, parent, missing };
  }

  /** The names in a directory, sorted by bytes; those of the root include `etc` and `var`. */
  list(place: StatePlace): { readonly name: ByteString; readonly place: StatePlace }[] {
    if (place.of === "image") {
      if (place.node.kind !== "directory") return [];
      return [...place.node.entries]
        .map(([name, node]) => ({ name, place: this.#inRoot(place.node, name) ?? { of: "image" as const, node } }))
        .sort(byName);
    }
    if (place.file.kind !== "directory") return [];
    return [...this.disk.names(place.file)]
      .map(([name, inode]) => ({ name, place: { ...place, file: this.disk.reader.file(inode) } }))
      .sort(byName);
  }

  #inRoot(directory: TreeNode, name: ByteString): StatePlace | undefined {
    return directory === this.#image && AREAS.has(name) ? this.#atRoot(name) : undefined;
  }

  #atRoot(name: ByteString): StatePlace | undefined {
    if (AREAS.has(name))
      return { of: "state", area: name as string as StateArea, file: this.#areas[name as string as StateArea] };
    return this.#child({ of: "image", node: this.#image }, name);
  }

  #child(parent: StatePlace, name: ByteString): StatePlace | undefined {
    if (parent.of === "state") {
      const file = this.disk.child(parent.file, name);
      return file && { ...parent, file };
    }
    const node = parent.node.kind === "directory" ? parent.node.entries.get(name) : undefined;
    return node && { of: "image", node };
  }

  #target(place: StatePlace): ByteString | undefined {
    if (place.of === "image") return place.node.kind === "symlink" ? place.node.target : undefined;
    return place.file.kind === "symlink" ? this.disk.reader.target(place.file) : undefined;
  }
}

/** The kind of what is there. */
export function kindOf(place: StatePlace): TreeNode["kind"] {
  return place.of === "state" ? place.file.kind : place.node.kind;
}

function isDirectory(place: StatePlace): boolean {
  return kindOf(place) === "directory";
}

function checkPath(path: ByteString): void {
  const wrong = !path.startsWith("/")
    ? "it does not begin with a slash"
    : path.includes("\0")
      ? "it contains a NUL"
      : path.split("/").some((name) => name.length > NAME_MAX_BYTES)
        ? `a name has more than ${NAME_MAX_BYTES} bytes`
        : undefined;
  if (wrong === undefined) return;
  throw new SealrootError("usage", `Cannot use the path ${quotePath(path)}: ${wrong}`, { path });
}

function notFound(path: ByteString, state: string): SealrootError {
  return new SealrootError("not-found", `Cannot use ${quotePath(path)}: ${state}`, { path });
}

function byName(a: { readonly name: ByteString }, b: { readonly name: ByteString }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
