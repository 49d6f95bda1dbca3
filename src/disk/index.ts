/**
 * disk: partition tables, the ESP and the root file system of a disk or a disk file, written without root; and reading
 * such disks without root.
 *
 * Store room: runs the field's own tools (sfdisk, mkfs.vfat, mtools, mke2fs, e2fsck) through `platform/`.
 * Knows partitions and file systems, not what a deployment or a boot entry is.
 * @module
 */
export { type BlockDevice, describeBlockDevice, inspectBlockDevice } from "./block-device.ts";
export { checkDisk, type DiskContent } from "./check-disk.ts";
export type { DiskEntry } from "./disk-entry.ts";
export {
  type DiskLayout,
  type InstalledDiskParts,
  readDiskLayout,
  readEncryptedPartition,
  readEspPartition,
  readInstalledDisk,
  readRootPartition,
  refuseQcow2,
} from "./disk-reader.ts";
export { bytesNeeded, checkChanges, type Ext4Change, type Ext4NewFile, editExt4 } from "./ext4/edit.ts";
export type { Ext4File, Ext4Reader } from "./ext4/ext4-reader.ts";
export { EXT4 } from "./ext4/ext4-root.ts";
export { Ext4Tree } from "./ext4/ext4-tree.ts";
export { checkWithE2fsck } from "./ext4/make.ts";
export { checkEspFits, type EspFile, type EspOptions, readEspFile, writeEsp } from "./fat.ts";
export { type EspChanges, editEsp } from "./fat-edit.ts";
export { FatReader } from "./fat-reader.ts";
export { type Partition, type PartitionTable, type ReadAt, readPartitionTable } from "./gpt.ts";
export { deriveGuid } from "./guid.ts";
export { type Encryption, encryptRoot } from "./luks/encrypted-root.ts";
export { VOLUME_KEY_BYTES } from "./luks/volume-cipher.ts";
export { readDiskPartitions } from "./open-disk.ts";
export {
  checkPartitionSizes,
  diskSizeForRoot,
  inMib,
  type PartitionPlan,
  type PartitionPlanOptions,
  type PlannedPartition,
  planPartitions,
} from "./partition-plan.ts";
export { PARTITION_TYPE } from "./partition-types.ts";
export { writePartitionTable } from "./partition-writer.ts";
export type { PlannedRoot, RootContent, RootFileSystem, RootMakeOptions, RootPlanOptions } from "./root-file-system.ts";
export { treeEntries } from "./tree-entries.ts";
export type { WorkDisk } from "./work-disk.ts";
