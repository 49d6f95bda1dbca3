/**
 * The root file system of an image as a directory of this machine, read as far as it is asked: a container build has it
 * mounted, and most questions need a few files of it, not the hashes of all.
 */
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { type ByteString, byteString, byteStringOfText, displayText } from "../bytes/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { metadataOfStat } from "../objects/index.ts";
import { readMountTable, readXattrs } from "../platform/index.ts";
import {
  type DirectoryNode,
  joinPath,
  kindOfMode,
  lookupPath,
  type Metadata,
  NO_XATTRS,
  TreeFiles,
  type TreeNode,
} from "../tree/index.ts";

/** What a node of such a directory knows besides. */
export interface NodeFacts {
  /** Device and inode number, by which hard links and mount points are told. */
  readonly device: bigint;
  readonly inode: bigint;
  readonly linkCount: bigint;
  readonly sizeBytes: number;
}

/** A directory whose entries are read when they are first asked for. */
class LazyDirectory implements DirectoryNode {
  readonly kind = "directory";
  readonly metadata: Metadata;
  readonly #root: RootDirectory;
  readonly #path: ByteString;
  #entries: Map<ByteString, TreeNode> | undefined;

  constructor(root: RootDirectory, path: ByteString, metadata: Metadata) {
    this.#root = root;
    this.#path = path;
    this.metadata = metadata;
  }

  get entries(): Map<ByteString, TreeNode> {
    this.#entries ??= this.#root.entriesOf(this.#path);
    return this.#entries;
  }
}

/** A mounted or unpacked image. Names are bytes; links are followed inside it. */
export class RootDirectory {
  /** Where it is on this machine, without links. */
  readonly path: string;
  readonly root: DirectoryNode;
  readonly files: TreeFiles;
  readonly #place: ByteString;
  #mountPoints: ReadonlySet<ByteString> | undefined;
  readonly #facts = new WeakMap<TreeNode, NodeFacts>();

  /** @throws SealrootError `not-found`, `no-access`; `usage` for something that is not a directory */
  constructor(path: string) {
    this.path = realPathOf(path);
    this.#place = byteStringOfText(this.path === "/" ? "" : this.path);
    this.root = this.#directoryAt("/" as ByteString, lstatSync(this.path, { bigint: true }));
    this.files = new DirectoryFiles(this);
  }

  /** What stat(2) says of a node of this tree. */
  factsOf(node: TreeNode): NodeFacts {
    const facts = this.#facts.get(node);
    if (facts === undefined) throw new Error("unreachable: the node is of another tree");
    return facts;
  }

  /** Whether something else is mounted at a path of the image, a file too. */
  isMounted(node: TreeNode, path: ByteString): boolean {
    if (path === "/") return false;
    // Files of an overlay may have the device of the layer that they are in.
    if (node.kind === "directory" && this.factsOf(node).device !== this.factsOf(this.root).device) return true;
    this.#mountPoints ??= new Set(readMountTable().map(({ mountPoint }) => byteStringOfText(mountPoint)));
    return this.#mountPoints.has(`${this.#place}${path}` as ByteString);
  }

  /** The node at exactly this path, without following a link. */
  lookUp(path: string): TreeNode | undefined {
    return lookupPath(this.root, byteStringOfText(path));
  }

  /** The bytes of the file at this path of the image, which holds no link. */
  readAt(path: ByteString): Uint8Array {
    return attempt(path, () => readFileSync(this.placeOf(path)));
  }

  /** Where a path of the image is on this machine. */
  placeOf(path: ByteString): Buffer {
    return Buffer.from(`${this.#place}${path}`, "latin1");
  }

  /** For directories, when they are first looked into. */
  entriesOf(path: ByteString): Map<ByteString, TreeNode> {
    const names = attempt(path, () => readdirSync(this.placeOf(path), { encoding: "buffer" }));
    return new Map(
      names.map((bytes) => {
        const name = byteString(bytes);
        const child = joinPath(path, name);
        return [name, attempt(child, () => this.#nodeAt(child))];
      }),
    );
  }

  #nodeAt(path: ByteString): TreeNode {
    const place = this.placeOf(path);
    const stat = lstatSync(place, { bigint: true });
    const kind = kindOfMode(Number(stat.mode));
    if (kind === "directory") return this.#directoryAt(path, stat);
    const metadata = metadataOfStat(stat, xattrsOf(place));
    const node = ((): TreeNode => {
      switch (kind) {
        case "file":
          return { kind, metadata, content: { type: "external", sizeBytes: Number(stat.size), objectId: undefined } };
        case "symlink":
          return { kind, metadata, target: byteString(readlinkSync(place, { encoding: "buffer" })) };
        case "character-device":
        case "block-device":
          return { kind, metadata, rdev: Number(BigInt.asUintN(32, stat.rdev)) };
        case "fifo":
        case "socket":
          return { kind, metadata };
        default:
          throw new SealrootError("unsupported", "Cannot read the root file system: a file of an unknown kind");
      }
    })();
    return this.#known(node, stat);
  }

  #directoryAt(path: ByteString, stat: BigIntStats): DirectoryNode {
    return this.#known(new LazyDirectory(this, path, metadataOfStat(stat, xattrsOf(this.placeOf(path)))), stat);
  }

  #known<Node extends TreeNode>(node: Node, stat: BigIntStats): Node {
    const facts = { device: stat.dev, inode: stat.ino, linkCount: stat.nlink, sizeBytes: Number(stat.size) };
    this.#facts.set(node, facts);
    return node;
  }
}

/** The files of such a directory, for those that look for parts of an image. */
class DirectoryFiles extends TreeFiles {
  readonly #directory: RootDirectory;

  constructor(directory: RootDirectory) {
    super(directory.root, () => {
      throw new Error("unreachable: no file here is an object");
    });
    this.#directory = directory;
  }

  override read(path: string): Uint8Array {
    const found = this.resolve(path);
    if (found?.node.kind === "file") return this.#directory.readAt(byteStringOfText(found.path));
    throw new SealrootError("not-found", `Cannot read ${path} in the image: there is no such file`, { path });
  }
}

function xattrsOf(place: Buffer): Metadata["xattrs"] {
  const xattrs = readXattrs(place);
  return xattrs.size === 0 ? NO_XATTRS : xattrs;
}

function realPathOf(path: string): string {
  try {
    const real = realpathSync(path);
    if (lstatSync(real).isDirectory()) return real;
  } catch (error) {
    throw asSealrootError(error, `Cannot read the root file system ${path}`, { path });
  }
  throw new SealrootError("usage", `Cannot read the root file system ${path}: it is not a directory`, { path });
}

function attempt<T>(path: ByteString, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const shown = displayText(path);
    throw asSealrootError(error, `Cannot read ${shown} of the root file system`, { path: shown });
  }
}
