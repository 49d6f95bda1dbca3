/** Makes an ext4 file system with content and verity files inside a disk, as an ordinary user (spec/boot-chain.md A, B). */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../../errors/index.ts";
import {
  BLOCK_BYTES,
  BLOCKS_PER_GROUP,
  GROUPS_PER_FLEX_GROUP,
  INODE_BYTES,
  RESERVED_PERCENT,
  type RootGeometry,
  rootFeatureNames,
  rootGeometry,
} from "../../ext4/index.ts";
import { runDiskTool } from "../disk-tool.ts";
import type { RootMakeOptions } from "../root-file-system.ts";
import type { WorkDisk } from "../work-disk.ts";
import { fillExt4 } from "./fill.ts";
import type { Ext4Plan } from "./plan.ts";

/** Our own settings instead of the host's /etc/mke2fs.conf, so that two distributions make the same disk. */
function mke2fsConfig({ keepsRoomForGrowing }: RootGeometry): string {
  return `[defaults]
	base_features = none
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
[fs_types]
	ext4 = {
		features = ${rootFeatureNames(keepsRoomForGrowing).join(",")}
	}
`;
}

const TIMEOUT_MS = 1_800_000;
const DIAGNOSTIC_LINES = 3;
/** The inode tables of 64 GiB: seconds on the slowest disk. */
const TABLES_CLEARED_AT_ONCE_BYTES = 1024 ** 3;

/**
 * Makes and fills the file system, then has e2fsck check it.
 *
 * @throws SealrootError `missing-tool`; `failed` when a tool complains; `no-space`; `corrupt` when e2fsck finds anything
 */
export async function makeExt4(disk: WorkDisk, plan: Ext4Plan, options: RootMakeOptions): Promise<void> {
  const configPath = join(disk.directory, "mke2fs.conf");
  const geometry = rootGeometry(options.sizeBytes);
  writeFileSync(configPath, mke2fsConfig(geometry));
  const epoch = String(Math.max(1, options.epochSeconds));
  // E2FSPROGS_FAKE_TIME is known to all versions, SOURCE_DATE_EPOCH from 1.47.1 on.
  const env = { E2FSPROGS_FAKE_TIME: epoch, SOURCE_DATE_EPOCH: epoch, MKE2FS_CONFIG: configPath };
  await makeEmpty(disk, { ...options, hashSeed: plan.hashSeed }, geometry, env);
  await fillExt4(disk, plan, options);
  await checkWithE2fsck(disk, options.startBytes);
}

async function makeEmpty(
  disk: WorkDisk,
  options: RootMakeOptions & Pick<Ext4Plan, "hashSeed">,
  geometry: RootGeometry,
  env: Record<string, string>,
): Promise<void> {
  // A number of blocks means KiB if no block size is given.
  const sizes = ["-b", String(BLOCK_BYTES), "-I", String(INODE_BYTES), "-N", String(geometry.inodeCount)];
  const groups = ["-g", String(BLOCKS_PER_GROUP), "-G", String(GROUPS_PER_FLEX_GROUP)];
  const room = ["-m", String(RESERVED_PERCENT), "-J", `size=${geometry.journalMib}`];
  const identity = ["-U", options.uuid, "-L", options.label];
  const extended = [
    `offset=${options.startBytes}`,
    `hash_seed=${options.hashSeed}`,
    "root_owner=0:0",
    ...(options.contentIsUnknown === true ? LAZY_TABLES : options.diskIsZeroed ? ZEROED_DISK : unknownDisk(geometry)),
  ];
  const settings = ["-t", "ext4", "-T", "default", ...sizes, ...groups, ...room, ...identity, "-E", extended.join(",")];
  const args = ["-q", "-F", ...settings, disk.path, String(geometry.blockCount)];
  await runDiskTool(disk, "mke2fs", args, { env, timeoutMs: TIMEOUT_MS });
}

/** Inode tables and journal are already zeros: nothing is written, and the first boot has nothing to clear. */
const ZEROED_DISK = ["nodiscard", "assume_storage_prezeroed=1"];
/** The kernel clears inode tables while the system runs. The journal is written: all of it is in use. */
const LAZY_TABLES = ["nodiscard", "lazy_itable_init=1", "lazy_journal_init=0"];
/**
 * A journal of an earlier installation with the same UUID could be replayed, so it is cleared. Inode tables are used
 * only as far as their descriptors say: if clearing them would take minutes, the kernel does it while the new system
 * runs.
 */
function unknownDisk(geometry: RootGeometry): string[] {
  const clearTables = geometry.inodeCount * INODE_BYTES <= TABLES_CLEARED_AT_ONCE_BYTES;
  return [`lazy_itable_init=${clearTables ? 0 : 1}`, "lazy_journal_init=0"];
}

/** @throws SealrootError `corrupt` when e2fsck finds anything to repair */
export async function checkWithE2fsck(disk: WorkDisk, startBytes: number): Promise<void> {
  // 4: errors left uncorrected, 8 and above: operational errors (e2fsck(8), EXIT CODE); -n never corrects.
  // What the kernel leaves of an extent tree is no fault.
  const args = ["-f", "-n", "-E", "no_optimize_extents", `${disk.path}?offset=${startBytes}`];
  const result = await runDiskTool(disk, "e2fsck", args, { timeoutMs: TIMEOUT_MS, successCodes: [0, 4] });
  if (result.exitCode === 0) return;
  const lines = result.stdout.toString("utf8").split("\n");
  const findings = lines.filter((line) => line !== "" && !line.startsWith("Pass ")).slice(0, DIAGNOSTIC_LINES);
  throw new SealrootError("corrupt", `Cannot accept the root file system: e2fsck found: ${findings.join(" | ")}`);
}
