/** What a file or directory is, by its first bytes: for those that are given a word and must know what it means. */
import { closeSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { byteString } from "../bytes/index.ts";

export type FileKind =
  | "directory"
  /** A directory that is an OCI layout. */
  | "layout"
  | "EROFS image"
  /** A UKI, a boot loader, a kernel: a PE file. */
  | "EFI program"
  /** A disk file or a block device. */
  | "disk"
  | "dump file"
  /** A tar, plain or compressed by gzip: of what, its reference says. */
  | "archive"
  | "other";

/** Enough to tell files apart: the superblock of EROFS and the header of a GPT on 4 KiB sectors are in it. */
const HEAD_BYTES = 8192;
/** At 1024, little-endian (Linux, fs/erofs/erofs_fs.h). */
const EROFS_MAGIC = 0xe0f5e1e2;

/** @throws Error of the system when it cannot be read */
export function fileKindOf(path: string, stat: Stats): FileKind {
  if (stat.isDirectory()) {
    return statSync(join(path, "oci-layout"), { throwIfNoEntry: false })?.isFile() === true ? "layout" : "directory";
  }
  if (stat.isBlockDevice()) return "disk";
  if (!stat.isFile()) return "other";
  const head = headOf(path);
  const textAt = (offset: number, length: number) => byteString(head, offset, Math.min(offset + length, head.length));
  if (head.length >= 1028 && head.readUInt32LE(1024) === EROFS_MAGIC) return "EROFS image";
  if (textAt(0, 2) === "MZ") return "EFI program";
  if (textAt(512, 8) === "EFI PART" || textAt(4096, 8) === "EFI PART" || textAt(0, 4) === "QFI\xfb") return "disk";
  if (textAt(0, 2) === "/ ") return "dump file";
  return textAt(257, 5) === "ustar" || textAt(0, 2) === "\x1f\x8b" ? "archive" : "other";
}

function headOf(path: string): Buffer {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}
