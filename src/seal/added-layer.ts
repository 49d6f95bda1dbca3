/**
 * The one layer that seal adds. It lists every parent directory it touches with that directory's metadata in the input,
 * so that the layers' view, a mounted view and an extraction have the same digest.
 */
import { type ByteString, byteStringOfText, displayText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { TarMember } from "../tar/index.ts";
import {
  applyLayerEntry,
  type DirectoryNode,
  type FileContent,
  INLINE_CONTENT_MAX_BYTES,
  joinPath,
  type LayerEntry,
  lookupPath,
  type Metadata,
  newMetadata,
  type TreeNode,
} from "../tree/index.ts";
import { verityDigest } from "../verity/index.ts";
import { SEAL_ALGORITHM } from "./image-id.ts";

/** A file that the layer adds or replaces: 0644, owned by root. */
export interface AddedFile {
  /** Absolute path in the image. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What the layer changes. */
export interface LayerChanges {
  readonly added: readonly AddedFile[];
  /** Absolute paths of files in the input that are removed, and of directories with all that is in them. */
  readonly removed: readonly string[];
}

/** They get the time of `/usr` in the boot variant, each version of composefs-rs in its own way. */
const BOOT_DIRECTORIES = ["/boot", "/sysroot"].map(byteStringOfText);

/**
 * The members of the layer's tar, parents first, whiteouts before files, otherwise in byte order.
 *
 * @param root the tree of all input layers, before any transform; only read
 * @param timeSeconds mtime of what is new
 * @throws SealrootError `unsupported` when something that is not a directory is in the way: the layer would replace it,
 *   with everything reached through it
 */
export function addedLayerMembers(root: DirectoryNode, changes: LayerChanges, timeSeconds: bigint): TarMember[] {
  const fresh = newMetadata({ mode: 0o644, mtimeSeconds: timeSeconds });
  const members = new Map<ByteString, TarMember>();
  const addParents = (path: ByteString) => {
    for (const parent of parentsOf(path)) {
      if (members.has(parent)) continue;
      const existing = lookupPath(root, parent);
      if (existing !== undefined && existing.kind !== "directory") throw inTheWay(parent, existing, "directory");
      const metadata = existing?.metadata ?? { ...fresh, mode: 0o755 };
      members.set(parent, { header: memberHeader("directory", parent, metadata) });
    }
  };
  for (const [path, metadata] of directoriesWithTimeOfUsr(root)) {
    members.set(path, { header: memberHeader("directory", path, metadata) });
  }
  for (const removed of changes.removed) {
    const path = byteStringOfText(removed);
    addParents(path);
    const whiteout = whiteoutOf(path);
    members.set(whiteout, { header: memberHeader("file", whiteout, fresh), body: new Uint8Array(0) });
  }
  for (const { path: text, bytes } of changes.added) {
    const path = byteStringOfText(text);
    addParents(path);
    const existing = lookupPath(root, path);
    if (existing?.kind === "directory") throw inTheWay(path, existing, "file");
    members.set(path, { header: { ...memberHeader("file", path, fresh), sizeBytes: bytes.length }, body: bytes });
  }
  return sorted([...members.values()]);
}

/**
 * A layer with files put into it: in the place of members of their paths, or with the members that {@link addedLayerMembers} gives
 * for new ones.
 */
export function withFiles(layer: readonly TarMember[], added: readonly TarMember[]): TarMember[] {
  const members = new Map(layer.map((member) => [member.header.path, member]));
  for (const member of added) {
    const old = members.get(member.header.path);
    if (old === undefined) members.set(member.header.path, member);
    else if (member.header.kind === "file" && member.body instanceof Uint8Array) {
      const header = { ...old.header, sizeBytes: member.body.length };
      members.set(member.header.path, { header, body: member.body });
    }
  }
  return sorted([...members.values()]);
}

/**
 * A slash sorts before every other byte of a name here, so a directory is followed by its contents; ".wh." sorts before
 * letters.
 */
function sorted(members: readonly TarMember[]): TarMember[] {
  const keyed = members.map((member) => ({ member, key: member.header.path.replaceAll("/", "\0") }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ member }) => member);
}

/** Applies the added layer to a tree, as reading it back from the sealed image will. */
export function applyMembers(root: DirectoryNode, members: readonly TarMember[]): void {
  for (const member of members) applyLayerEntry(root, entryOfMember(member));
}

function entryOfMember({ header, body }: TarMember): LayerEntry {
  const { kind, path, mode, uid, gid, mtimeSeconds, mtimeNanoseconds = 0 } = header;
  const metadata = { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs: new Map(header.xattrs) };
  if (kind === "directory") return { type: "inode", path, node: { kind, metadata, entries: new Map() } };
  if (kind === "file" && body instanceof Uint8Array) {
    return { type: "inode", path, node: { kind, metadata, content: contentOf(body) } };
  }
  throw new SealrootError("unsupported", `Cannot seal the image: the added layer has a ${kind} (${path})`, { path });
}

function contentOf(bytes: Uint8Array): FileContent {
  if (bytes.length <= INLINE_CONTENT_MAX_BYTES) return { type: "inline", bytes };
  return { type: "external", sizeBytes: bytes.length, objectId: verityDigest(bytes, SEAL_ALGORITHM) };
}

/**
 * `/boot` and `/sysroot` with the time of `/usr`: then the image is the same whether the boot variant takes all of it
 * or only the seconds (spec/upstream-1.17.md 2a).
 */
function directoriesWithTimeOfUsr(root: DirectoryNode): Map<ByteString, Metadata> {
  const usr = lookupPath(root, byteStringOfText("/usr"));
  const found = new Map<ByteString, Metadata>();
  for (const path of BOOT_DIRECTORIES) {
    const directory = lookupPath(root, path);
    if (usr === undefined || directory?.kind !== "directory") continue;
    const { mtimeSeconds, mtimeNanoseconds } = usr.metadata;
    found.set(path, { ...directory.metadata, mtimeSeconds, mtimeNanoseconds });
  }
  return found;
}

function inTheWay(path: ByteString, { kind }: TreeNode, wanted: string): SealrootError {
  const place = displayText(path);
  return new SealrootError(
    "unsupported",
    `Cannot seal the image: ${place} is a ${kind}, a ${wanted} is expected there`,
    {
      path: place,
      expected: wanted,
      actual: kind,
    },
  );
}

/** All directories above `path`, outermost first, without the root. */
function parentsOf(path: ByteString): ByteString[] {
  const parents: ByteString[] = [];
  for (let slash = path.indexOf("/", 1); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    parents.push(path.slice(0, slash) as ByteString);
  }
  return parents;
}

/** The marker that removes `path` (OCI image specification, layer.md, "Whiteouts"). */
function whiteoutOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  const parent = (slash <= 0 ? "/" : path.slice(0, slash)) as ByteString;
  return joinPath(parent, `.wh.${path.slice(slash + 1)}` as ByteString);
}

function memberHeader(kind: "directory" | "file", path: ByteString, metadata: Metadata): TarMember["header"] {
  return { kind, ...metadata, path: path.slice(1) as ByteString };
}
