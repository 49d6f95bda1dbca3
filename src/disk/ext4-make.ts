/** Makes an ext4 file system with content and verity files inside a disk, as an ordinary user (spec/boot-chain.md A, B). */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { runTool } from "../platform/index.ts";
import { BLOCK_SIZE_BYTES } from "../verity/index.ts";
import type { DiskEntry } from "./ext4-entry.ts";
import { ROOT_FEATURE_NAMES } from "./ext4-features.ts";
import {
  BLOCKS_PER_GROUP,
  GROUPS_PER_FLEX_GROUP,
  INODE_BYTES,
  RESERVED_PERCENT,
  type RootGeometry,
  rootGeometry,
} from "./ext4-geometry.ts";
import { populationScript, type Script } from "./ext4-script.ts";
import type { WorkDisk } from "./work-disk.ts";

export interface RootFileSystemOptions {
  /** Where the file system lies in the disk. */
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** Whatever nobody has written on the disk reads as zeros: true of a new file, not of a device. */
  readonly diskIsZeroed: boolean;
  readonly uuid: string;
  /** Seed of the directory hashes; part of what makes equal inputs equal bytes. */
  readonly hashSeed: string;
  readonly label: string;
  /** The disk's time, seconds since 1970, at least 1. */
  readonly epochSeconds: number;
  readonly entries: readonly DiskEntry[];
  /** Called with the number of entries written so far. */
  readonly onProgress?: (done: number) => void;
}

/** Our own settings instead of the host's /etc/mke2fs.conf, so that two distributions make one disk. */
const MKE2FS_CONFIG = `[defaults]
	base_features = none
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
[fs_types]
	ext4 = {
		features = ${ROOT_FEATURE_NAMES.join(",")}
	}
`;
const TIMEOUT_MS = 1_800_000;
const DIAGNOSTIC_LINES = 3;
/** The inode tables of 64 GiB: seconds on the slowest disk. */
const TABLES_CLEARED_AT_ONCE_BYTES = 1024 ** 3;

/**
 * Makes and fills the file system, then has e2fsck look at it.
 *
 * @throws SealrootError `missing-tool`; `unsupported` for names that cannot be written; `failed` when a tool complains
 *   or e2fsck finds anything
 */
export async function makeRootFileSystem(disk: WorkDisk, options: RootFileSystemOptions): Promise<void> {
  const configPath = join(disk.directory, "mke2fs.conf");
  writeFileSync(configPath, MKE2FS_CONFIG);
  const epoch = String(Math.max(1, options.epochSeconds));
  // E2FSPROGS_FAKE_TIME is known to all versions, SOURCE_DATE_EPOCH from 1.47.1 on.
  const env = { E2FSPROGS_FAKE_TIME: epoch, SOURCE_DATE_EPOCH: epoch, MKE2FS_CONFIG: configPath, TZ: "UTC" };
  await makeEmpty(disk, options, env);
  await populate(disk, options, env);
  await checkRootFileSystem(disk, options.startBytes);
}

async function makeEmpty(disk: WorkDisk, options: RootFileSystemOptions, env: Record<string, string>): Promise<void> {
  const geometry = rootGeometry(options.sizeBytes);
  // A number of blocks means KiB where no block size is given.
  const sizes = ["-b", String(BLOCK_SIZE_BYTES), "-I", String(INODE_BYTES), "-N", String(geometry.inodeCount)];
  const groups = ["-g", String(BLOCKS_PER_GROUP), "-G", String(GROUPS_PER_FLEX_GROUP)];
  const room = ["-m", String(RESERVED_PERCENT), "-J", `size=${geometry.journalMib}`];
  const identity = ["-U", options.uuid, "-L", options.label];
  const extended = [
    `offset=${options.startBytes}`,
    `hash_seed=${options.hashSeed}`,
    "root_owner=0:0",
    ...(options.diskIsZeroed ? ZEROED_DISK : unknownDisk(geometry)),
  ];
  const settings = ["-t", "ext4", "-T", "default", ...sizes, ...groups, ...room, ...identity, "-E", extended.join(",")];
  await runTool("mke2fs", ["-q", "-F", ...settings, disk.path, String(geometry.blockCount)], {
    env,
    directory: disk.directory,
    timeoutMs: TIMEOUT_MS,
  });
}

/** Inode tables and journal are zeros already: nothing is written, and the first boot has nothing to clear. */
const ZEROED_DISK = ["nodiscard", "assume_storage_prezeroed=1"];
/**
 * A journal of an earlier installation with the same UUID could be replayed, so it is cleared. Inode tables count only as
 * far as their descriptors say: where clearing them would take minutes, the kernel does it while the new system runs.
 */
function unknownDisk(geometry: RootGeometry): string[] {
  const clearTables = geometry.inodeCount * INODE_BYTES <= TABLES_CLEARED_AT_ONCE_BYTES;
  return [`lazy_itable_init=${clearTables ? 0 : 1}`, "lazy_journal_init=0"];
}

async function populate(disk: WorkDisk, options: RootFileSystemOptions, env: Record<string, string>): Promise<void> {
  const valueFiles = new Map<string, string>();
  const script = populationScript(options.entries, {
    epochSeconds: Math.max(1, options.epochSeconds),
    modeOf: (source) => statSync(source).mode & 0o7777,
    keepValue: (value) => {
      const known = valueFiles.get(toHex(value));
      const name = known ?? `xattr-${valueFiles.size}`;
      if (known === undefined) writeFileSync(join(disk.directory, name), value);
      valueFiles.set(toHex(value), name);
      return name;
    },
  });
  writeFileSync(join(disk.directory, "root.debugfs"), script.bytes);
  const output = new DebugfsOutput(script, options);
  const result = await runTool("debugfs", ["-w", "-f", "root.debugfs", imageArgument(disk, options.startBytes)], {
    env,
    directory: disk.directory,
    timeoutMs: TIMEOUT_MS,
    onOutput: (chunk) => output.add(chunk),
  });
  output.finish(result.stderr);
}

/**
 * debugfs exits with 0 even when commands fail (spec/boot-chain.md A), so its output is what says how it went: an echo
 * of each command and "Allocated inode: N" on standard output, the version on standard error, and nothing else.
 */
class DebugfsOutput {
  readonly #script: Script;
  readonly #options: RootFileSystemOptions;
  readonly #unexpected: string[] = [];
  #rest = "";
  #echoCount = 0;

  constructor(script: Script, options: RootFileSystemOptions) {
    this.#script = script;
    this.#options = options;
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("debugfs: ")) this.#echoCount++;
      else if (!/^Allocated inode: \d+$/.test(line)) this.#unexpected.push(line);
    }
    const share = this.#echoCount / Math.max(1, this.#script.commandCount);
    this.#options.onProgress?.(Math.floor(share * this.#options.entries.length));
  }

  finish(stderr: string): void {
    const complaints = stderr.split("\n").filter((line) => line !== "" && !/^debugfs \d+\.\d/.test(line));
    const all = [...complaints, ...this.#unexpected, ...(this.#rest === "" ? [] : [this.#rest])];
    if (all.length === 0 && this.#echoCount === this.#script.commandCount) return;
    const said = all.length === 0 ? "" : `: ${all.slice(0, DIAGNOSTIC_LINES).join(" | ")}`;
    throw new SealrootError(
      all.some((line) => /no free space|could not allocate|no space left/i.test(line)) ? "no-space" : "failed",
      `Cannot fill the root file system: debugfs did ${this.#echoCount} of ${this.#script.commandCount} commands${said}`,
    );
  }
}

/** @throws SealrootError `corrupt` when e2fsck finds anything to mend */
export async function checkRootFileSystem(disk: WorkDisk, startBytes: number): Promise<void> {
  // 4: errors left uncorrected, 8 and above: operational errors (e2fsck(8), EXIT CODE); -n never corrects.
  const result = await runTool("e2fsck", ["-f", "-n", imageArgument(disk, startBytes)], {
    directory: disk.directory,
    timeoutMs: TIMEOUT_MS,
    successCodes: [0, 4],
  });
  if (result.exitCode === 0) return;
  const lines = result.stdout.toString("utf8").split("\n");
  const findings = lines.filter((line) => line !== "" && !line.startsWith("Pass ")).slice(0, DIAGNOSTIC_LINES);
  throw new SealrootError("corrupt", `Cannot accept the root file system: e2fsck found: ${findings.join(" | ")}`);
}

/** How e2fsprogs is told that a file system begins inside a file (debugfs(8); libext2fs "offset" I/O option). */
function imageArgument(disk: WorkDisk, startBytes: number): string {
  return `${disk.path}?offset=${startBytes}`;
}
