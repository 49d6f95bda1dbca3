/**
 * The features of the root file system (Linux Documentation/filesystems/ext4/super.rst, "Super Block Features"). All are
 * in Debian 12's e2fsprogs and kernel; `verity` is what everything rests on (spec/host.md 1.1).
 */

export interface FeatureSet {
  readonly compatible: number;
  readonly incompatible: number;
  readonly readOnlyCompatible: number;
}

const COMPATIBLE: Readonly<Record<string, number>> = {
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  orphan_file: 0x1000,
};
const INCOMPATIBLE: Readonly<Record<string, number>> = { filetype: 0x2, extent: 0x40, "64bit": 0x80, flex_bg: 0x200 };
const READ_ONLY_COMPATIBLE: Readonly<Record<string, number>> = {
  sparse_super: 0x1,
  large_file: 0x2,
  huge_file: 0x8,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  metadata_csum: 0x400,
  verity: 0x8000,
};

/** Blocks reserved for growing are found by 32-bit numbers: a larger file system has none. */
const FOR_GROWING = "resize_inode";

/** Their names in mke2fs.conf(5). @param keepsRoomForGrowing see `RootGeometry` */
export function rootFeatureNames(keepsRoomForGrowing: boolean): string[] {
  const names = [COMPATIBLE, INCOMPATIBLE, READ_ONLY_COMPATIBLE].flatMap((table) => Object.keys(table));
  return names.filter((name) => keepsRoomForGrowing || name !== FOR_GROWING);
}

/** Their bits in a superblock. @param keepsRoomForGrowing see `RootGeometry` */
export function rootFeatures(keepsRoomForGrowing: boolean): FeatureSet {
  return {
    compatible: sum(COMPATIBLE) & ~(keepsRoomForGrowing ? 0 : (COMPATIBLE[FOR_GROWING] ?? 0)),
    incompatible: sum(INCOMPATIBLE),
    readOnlyCompatible: sum(READ_ONLY_COMPATIBLE),
  };
}

function sum(names: Readonly<Record<string, number>>): number {
  return Object.values(names).reduce((bits, bit) => bits | bit, 0);
}
