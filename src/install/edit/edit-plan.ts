/** From what is to be changed in `/etc` and `/var` to the changes of the file system. */
import { type ByteString, displayText } from "../../bytes/index.ts";
import type { Ext4Change, Ext4File, Ext4NewFile } from "../../disk/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { LABEL_XATTR, PERMISSION_MASK, quotePath } from "../../tree/index.ts";
import type { HostFile } from "./host-file.ts";
import type { OpenDeployment } from "./open-deployment.ts";
import type { LabelOf } from "./state-labels.ts";
import { kindOf, type ResolvedState, type StateArea, type StatePlace } from "./state-tree.ts";

/** What new files get, and existing ones too where it is given. */
export interface NewAttributes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A change in words. */
export interface PlannedEdit {
  readonly path: ByteString;
  readonly change: "added" | "replaced" | "removed";
}

const SETGID = 0o2000;
/** EXT4_IMMUTABLE_FL and EXT4_APPEND_FL: chattr(1) was asked to keep it. */
const PROTECTED_FLAGS = 0x10 | 0x20;
/** What a write takes away (capabilities(7); the others are over the old content). */
const CONTENT_XATTRS: ReadonlySet<string> = new Set(["security.capability", "security.ima", "security.evm"]);
const WHY_NOT = {
  none: "the image's own is mounted there, and nothing of the disk",
  overlay: "it is an overlay, whose changes are kept apart from the image's files",
  transient: "it is made anew from the image at every boot, changes would not be seen",
} as const;

type NewDirectory = { readonly entries: Map<ByteString, Ext4NewFile> } & Extract<Ext4NewFile, { kind: "directory" }>;

export class EditPlan {
  readonly changes: Ext4Change[] = [];
  readonly edits: PlannedEdit[] = [];
  readonly #deployment: OpenDeployment;
  readonly #labelOf: LabelOf;
  readonly #warn: (text: string) => void;
  /** By path: directories that are yet to be made. */
  readonly #directories = new Map<ByteString, NewDirectory>();
  readonly #touched = new Set<ByteString>();

  constructor(deployment: OpenDeployment, labelOf: LabelOf, warn: (text: string) => void) {
    this.#deployment = deployment;
    this.#labelOf = labelOf;
    this.#warn = warn;
  }

  /**
   * Puts a file, link or directory of this machine under a path. Links on the way, and at the end for a file, are
   * followed. An existing file keeps owner, mode and attributes, unless others are given; an existing directory stays,
   * and what is put is added to it.
   */
  put(path: ByteString, source: HostFile, attributes: NewAttributes): void {
    const found = this.#find(path, source.kind !== "symlink");
    const exists = found.missing.length === 0;
    if (source.kind === "directory") {
      if (exists && kindOf(found.place) !== "directory") throw wrongKind(path, "it is not a directory");
      if (!exists) this.#addDirectory(found, attributes, searchable(attributes.mode ?? 0));
      for (const { name, file } of source.entries()) this.put(`${found.path}/${name}` as ByteString, file, attributes);
      return;
    }
    const kept = exists ? this.#replaced(found, path, attributes) : undefined;
    const inode = kept ?? this.#newInode(found, source.kind, attributes, source.kind === "file" && source.isExecutable);
    this.#add(
      found,
      source.kind === "file"
        ? { ...inode, kind: "file", source: source.path }
        : { ...inode, mode: 0o777, kind: "symlink", target: source.target },
    );
  }

  /** Makes a directory and those above it; one that is there stays. */
  makeDirectory(path: ByteString, attributes: NewAttributes): void {
    const found = this.#find(path, true);
    if (found.missing.length > 0) this.#addDirectory(found, attributes, 0);
    else if (kindOf(found.place) !== "directory") throw wrongKind(path, "it is there, and not a directory");
  }

  /** Removes a file, a link itself, or a directory. */
  remove(path: ByteString, recursive: boolean): void {
    const found = this.#find(path, false);
    if (found.missing.length > 0) {
      throw new SealrootError("not-found", `Cannot remove ${quotePath(path)}: there is no such file`, { path });
    }
    const { parent, place } = found;
    if (parent?.place.of !== "state") throw wrongKind(path, "it is the directory itself");
    this.#removeAll(parent.place.file, parent.name, place, found.path, recursive);
  }

  #removeAll(directory: Ext4File, name: ByteString, place: StatePlace, path: ByteString, recursive: boolean): void {
    if (place.of !== "state") throw new Error("unreachable: below the state everything is of the state");
    refuseProtected(place.file, path);
    const isDirectory = place.file.kind === "directory";
    const entries = isDirectory ? this.#deployment.tree.list(place) : [];
    if (entries.length > 0 && !recursive) {
      throw new SealrootError("conflict", `Cannot remove ${quotePath(path)}: the directory is not empty`, {
        path,
        hint: "give --recursive to remove everything in it",
      });
    }
    for (const entry of entries) {
      this.#removeAll(place.file, entry.name, entry.place, `${path}/${entry.name}` as ByteString, recursive);
    }
    this.changes.push({
      type: "remove",
      directory: directory.inode,
      name,
      isDirectory,
      hasXattrBlock: place.file.xattrBlock !== 0,
    });
    this.edits.push({ path, change: "removed" });
  }

  /** @throws SealrootError `unsupported` for what is of the image, and for an area that is not a plain directory of the disk */
  #find(path: ByteString, followLast: boolean): ResolvedState {
    const found = this.#deployment.tree.resolve(path, followLast);
    requireArea(this.#deployment, found, path);
    return found;
  }

  /** The attributes of a file that gets other content; it is removed. */
  #replaced(found: ResolvedState, path: ByteString, { mode, uid, gid }: NewAttributes) {
    const { place, parent } = found;
    if (place.of !== "state" || parent?.place.of !== "state") throw wrongKind(path, "it is the directory itself");
    const { file } = place;
    if (file.kind === "directory") throw wrongKind(path, "a directory is there");
    if (file.kind !== "file" && file.kind !== "symlink") throw wrongKind(path, `there is a ${file.kind}`);
    refuseProtected(file, path);
    if (file.linkCount > 1)
      this.#warn(`${displayText(found.path)} has ${file.linkCount} names: the others keep the old content`);
    this.changes.push({
      ...{ type: "remove", directory: parent.place.file.inode, name: parent.name, isDirectory: false },
      hasXattrBlock: file.xattrBlock !== 0,
    });
    const xattrs = this.#deployment.tree.disk.reader.xattrs(file);
    return {
      mode: mode ?? file.mode & PERMISSION_MASK,
      uid: uid ?? file.uid,
      gid: gid ?? file.gid,
      xattrs: new Map([...xattrs].filter(([name]) => !CONTENT_XATTRS.has(name))),
    };
  }

  /** As a process of root would make it: in a directory with set-group-id its group is inherited (inode(7)). */
  #newInode(found: ResolvedState, kind: "file" | "directory" | "symlink", given: NewAttributes, isExecutable = false) {
    const parent = this.#parentOf(found);
    const inherits = (parent.mode & SETGID) !== 0;
    const usual = kind === "directory" ? 0o755 | (inherits ? SETGID : 0) : isExecutable ? 0o755 : 0o644;
    const label = this.#labelOf(found.path, kind) ?? parent.label;
    return {
      mode: given.mode === undefined ? usual : given.mode | (usual & SETGID),
      uid: given.uid ?? 0,
      gid: given.gid ?? (inherits ? parent.gid : 0),
      xattrs: new Map(label === undefined ? [] : [[LABEL_XATTR, label]]),
    };
  }

  #parentOf({ place, missing, path }: ResolvedState): { mode: number; gid: number; label: Uint8Array | undefined } {
    const above = missing.length > 1 ? this.#directories.get(parentPath(path)) : undefined;
    if (above !== undefined) return { mode: above.mode, gid: above.gid, label: above.xattrs.get(LABEL_XATTR) };
    if (place.of !== "state") throw new Error("unreachable: only the state is changed");
    const label = this.#deployment.tree.disk.reader.xattrs(place.file).get(LABEL_XATTR);
    return { mode: place.file.mode, gid: place.file.gid, label };
  }

  /** @param moreBits added to its mode. One that is planned already stays. */
  #addDirectory(found: ResolvedState, attributes: NewAttributes, moreBits: number): void {
    if (this.#directories.has(found.path)) return;
    const inode = this.#newInode(found, "directory", attributes);
    this.#add(found, { ...inode, mode: inode.mode | moreBits, kind: "directory", entries: new Map() });
  }

  #add(found: ResolvedState, file: Ext4NewFile): void {
    const { path, missing, place, parent } = found;
    if (this.#touched.has(path)) throw new SealrootError("usage", `Cannot put ${quotePath(path)} twice`, { path });
    this.#touched.add(path);
    if (file.kind === "directory") this.#directories.set(path, file as NewDirectory);
    this.edits.push({ path, change: missing.length === 0 ? "replaced" : "added" });
    if (missing.length > 1) {
      this.#newDirectory(parentPath(path), found).entries.set(missing.at(-1) as ByteString, file);
      return;
    }
    const directory = missing.length === 0 ? parent?.place : place;
    if (directory?.of !== "state") throw new Error("unreachable: only the state is changed");
    const name = missing[0] ?? parent?.name;
    if (name === undefined) throw new Error("unreachable: what is replaced has a name");
    this.changes.push({ type: "make", directory: directory.file.inode, name, file });
  }

  /** A directory that does not exist yet, made with those above it. */
  #newDirectory(path: ByteString, below: ResolvedState): NewDirectory {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const found = { ...below, path, missing: below.missing.slice(0, -1) };
    this.#addDirectory(found, {}, 0);
    return this.#newDirectory(path, below);
  }
}

/** Directories are searchable by whoever may read them. */
function searchable(mode: number): number {
  return (mode & 0o444) >>> 2;
}

function parentPath(path: ByteString): ByteString {
  return path.slice(0, path.lastIndexOf("/")) as ByteString;
}

/**
 * @throws SealrootError `unsupported` for what is of the image, or in an area that the running system does not take from a
 *   plain directory of the disk
 */
export function requireArea(
  { mounts }: OpenDeployment,
  { place, path: real }: ResolvedState,
  path: ByteString,
): StateArea {
  if (place.of === "image") {
    const leads = real === path ? "" : ` (it leads to ${quotePath(real)})`;
    throw new SealrootError("unsupported", `Cannot use ${quotePath(path)}${leads}: it is part of the sealed image`, {
      path,
      hint: "only /etc and /var are kept outside the image",
    });
  }
  const mount = mounts[place.area];
  if (mount === "bind") return place.area;
  throw new SealrootError("unsupported", `Cannot use /${place.area} of this deployment: ${WHY_NOT[mount]}`, {
    path,
    expected: `[${place.area}] mount = "bind"`,
    actual: `[${place.area}] mount = "${mount}"`,
    hint:
      mount === "overlay"
        ? "as root, sealroot install mount shows and changes it"
        : "change the image, which says so in setup-root-conf.toml or its kernel arguments",
  });
}

function refuseProtected(file: Ext4File, path: ByteString): void {
  if ((file.flags & PROTECTED_FLAGS) === 0) return;
  throw new SealrootError("no-access", `Cannot change ${quotePath(path)}: it is immutable or append-only`, {
    path,
    hint: "chattr(1) on the running system made it so",
  });
}

function wrongKind(path: ByteString, state: string): SealrootError {
  return new SealrootError("conflict", `Cannot change ${quotePath(path)}: ${state}`, { path });
}
