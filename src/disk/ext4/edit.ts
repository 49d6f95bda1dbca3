/** Changes files of an ext4 file system inside a disk with debugfs(8), without mounting it, as an ordinary user. */
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ByteString, bytesOf, displayText } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { FILE_TYPE_BITS } from "../../tree/index.ts";
import { runDiskTool } from "../disk-tool.ts";
import type { WorkDisk } from "../work-disk.ts";

interface NewInode {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole names to values; access control lists in the form of the disk. */
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>;
}

/** A file to be made, or a directory with everything in it. */
export type Ext4NewFile =
  /** @property source absolute path of a file of this machine, which stays as it is until it is copied */
  | (NewInode & { readonly kind: "file"; readonly source: string })
  | (NewInode & { readonly kind: "symlink"; readonly target: ByteString })
  | (NewInode & { readonly kind: "directory"; readonly entries: ReadonlyMap<ByteString, Ext4NewFile> });

/** One change, in a directory that exists, known by its inode. */
export type Ext4Change =
  | {
      readonly type: "remove";
      readonly directory: number;
      readonly name: ByteString;
      /** An empty one. */
      readonly isDirectory: boolean;
      /** Whether it has a block of attributes: debugfs leaves that allocated. */
      readonly hasXattrBlock: boolean;
    }
  | { readonly type: "make"; readonly directory: number; readonly name: ByteString; readonly file: Ext4NewFile };

const TIMEOUT_MS = 1_800_000;
/** debugfs reads its requests into a buffer of this size (BUFSIZ of glibc). */
const REQUEST_MAX_BYTES = 8191;
/** What debugfs says of itself on standard error. */
const BANNER = /^debugfs \d/;
const COMPLAINTS_SHOWN = 3;

/**
 * Carries out the changes, in order. After a failure the file system is in no good state: give it a copy of the disk.
 *
 * @param startBytes where the file system begins in the disk
 * @param epochSeconds time of what is made and of the directories it is in
 * @throws SealrootError `unsupported` for a name that debugfs cannot be told; `no-space`; `failed` when debugfs complains
 */
export async function editExt4(
  disk: WorkDisk,
  startBytes: number,
  changes: readonly Ext4Change[],
  epochSeconds: number,
): Promise<void> {
  const script = new Script(disk.directory, epochSeconds);
  for (const change of changes) script.change(change);
  writeFileSync(join(disk.directory, "requests"), Buffer.from(script.text, "latin1"));
  const args = ["-w", "-f", "requests", `${disk.path}?offset=${startBytes}`];
  // debugfs takes the time of new inodes from the variable. Its exit code is 0 whatever a request has met.
  const env = { E2FSPROGS_FAKE_TIME: String(Math.max(1, epochSeconds)) };
  const { stderr } = await runDiskTool(disk, "debugfs", args, { env, timeoutMs: TIMEOUT_MS });
  refuseComplaints(stderr.split("\n").filter((line) => line !== "" && !BANNER.test(line)));
  if (changes.some((change) => change.type === "remove" && change.hasXattrBlock)) await freeBlocks(disk, startBytes);
}

function refuseComplaints(complaints: readonly string[]): void {
  if (complaints.length === 0) return;
  const output = complaints.slice(0, COMPLAINTS_SHOWN);
  if (complaints.some((line) => /could not allocate|no (?:free )?space|no free/i.test(line))) {
    throw new SealrootError("no-space", "Cannot change the root file system: it is full", { output });
  }
  throw new SealrootError("failed", `Cannot change the root file system: debugfs says: ${output.join(" | ")}`, {
    output,
  });
}

/** e2fsck gives back the blocks that nothing has any more; it repairs what is safe and nothing else (e2fsck(8), -p). */
async function freeBlocks(disk: WorkDisk, startBytes: number): Promise<void> {
  const args = ["-f", "-p", "-E", "no_optimize_extents", `${disk.path}?offset=${startBytes}`];
  // 1: repaired (e2fsck(8), EXIT CODE).
  await runDiskTool(disk, "e2fsck", args, { timeoutMs: TIMEOUT_MS, successCodes: [0, 1] });
}

/**
 * Looks whether debugfs can be told of all changes, before anything is copied.
 * @throws SealrootError `unsupported` for a name or link target with a line break
 */
export function checkChanges(changes: readonly Ext4Change[]): void {
  const check = (name: ByteString, file: Ext4NewFile): void => {
    quoted(name);
    if (file.kind === "symlink") quoted(file.target);
    if (file.kind === "directory") for (const [child, node] of file.entries) check(child, node);
  };
  for (const change of changes) {
    if (change.type === "make") check(change.name, change.file);
    else quoted(change.name);
  }
}

/** Requests of debugfs, and the files they name in its directory: no path of this machine has to be quoted. */
class Script {
  text = "";
  readonly #directory: string;
  readonly #time: string;
  #files = 0;

  constructor(directory: string, epochSeconds: number) {
    this.#directory = directory;
    this.#time = `@${Math.max(1, epochSeconds)}`;
  }

  change(change: Ext4Change): void {
    this.#request("cd", `<${change.directory}>`);
    if (change.type === "remove") this.#request(change.isDirectory ? "rmdir" : "rm", local(change.name));
    else this.#make(change.name, change.file);
    // The directory that was entered last is the one of the change again.
    this.#request("sif", ".", "mtime", this.#time);
    this.#request("sif", ".", "ctime", this.#time);
  }

  #make(name: ByteString, file: Ext4NewFile): void {
    if (file.kind === "file") this.#request("write", this.#linkTo(file.source), name);
    else if (file.kind === "symlink") this.#request("symlink", name, file.target);
    else this.#request("mkdir", name);
    const set = (field: string, value: string): void => this.#request("sif", local(name), field, value);
    set("mode", `0${(FILE_TYPE_BITS[file.kind] | file.mode).toString(8)}`);
    set("uid", String(file.uid));
    set("gid", String(file.gid));
    // "-r": an access control list is already in the form of the disk.
    for (const [attribute, value] of file.xattrs) {
      this.#request("ea_set", "-r", "-f", this.#fileWith(value), local(name), attribute);
    }
    if (file.kind !== "directory" || file.entries.size === 0) return;
    this.#request("cd", local(name));
    for (const [child, node] of file.entries) this.#make(child, node);
    this.#request("sif", ".", "mtime", this.#time);
    this.#request("cd", "..");
  }

  #linkTo(source: string): string {
    const name = `source-${this.#files++}`;
    symlinkSync(source, join(this.#directory, name));
    return name;
  }

  #fileWith(value: Uint8Array): string {
    const name = `value-${this.#files++}`;
    writeFileSync(join(this.#directory, name), value);
    return name;
  }

  #request(...words: readonly string[]): void {
    const line = words.map(quoted).join(" ");
    if (line.length > REQUEST_MAX_BYTES) {
      throw new SealrootError("unsupported", "Cannot change the root file system: a name or link target is too long");
    }
    this.text += `${line}\n`;
  }
}

/** In the current directory, and never taken for a number of an inode, which debugfs writes as `<12>`. */
function local(name: ByteString): string {
  return `./${name}`;
}

/** A word for debugfs: in quotes, where a quote is doubled (lib/ss/parse.c of e2fsprogs). A line cannot be continued. */
function quoted(word: string): string {
  if (/[\n\r\0]/.test(word)) {
    throw new SealrootError(
      "unsupported",
      `Cannot change the root file system: the name ${JSON.stringify(displayText(word as ByteString))} has a line break`,
      { hint: "as root, sealroot install mount makes every name possible" },
    );
  }
  return `"${word.replaceAll('"', '""')}"`;
}

/** The bytes that the changes take at most, each file in whole blocks. */
export function bytesNeeded(
  changes: readonly Ext4Change[],
  blockBytes: number,
  sizeOf: (source: string) => number,
): number {
  const ofFile = (file: Ext4NewFile): number => {
    if (file.kind === "file") return Math.ceil(sizeOf(file.source) / blockBytes + 1) * blockBytes;
    if (file.kind === "symlink") return bytesOf(file.target).length >= blockBytes ? 2 * blockBytes : blockBytes;
    return [...file.entries.values()].reduce((sum, entry) => sum + ofFile(entry), 2 * blockBytes);
  };
  return changes.reduce((sum, change) => sum + (change.type === "make" ? ofFile(change.file) : 0), 0);
}
