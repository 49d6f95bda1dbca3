/** What a cpio archive holds. */
import type { ByteString } from "../bytes/index.ts";

interface Named {
  /** Without leading slash: `usr/bin/sh`. */
  readonly path: ByteString;
  /** Permission bits, 0..07777; the type is `kind`. */
  readonly mode: number;
}

export interface CpioFile extends Named {
  readonly kind: "file";
  readonly bytes: Uint8Array;
}

export interface CpioDirectory extends Named {
  readonly kind: "directory";
}

export interface CpioSymlink extends Named {
  readonly kind: "symlink";
  readonly target: ByteString;
}

export interface CpioDevice extends Named {
  readonly kind: "character-device" | "block-device";
  readonly major: number;
  readonly minor: number;
}

export interface CpioPipe extends Named {
  readonly kind: "fifo" | "socket";
}

export type CpioEntry = CpioFile | CpioDirectory | CpioSymlink | CpioDevice | CpioPipe;

/** Length of a newc header: the magic and 13 fields of 8 hex digits. */
export const HEADER_BYTES = 110;

/** `070701`, newc. */
export const MAGIC_NEWC = "070701";
/** `070702`, newc with a checksum over the data; the kernel reads it, we do not write it. */
export const MAGIC_CRC = "070702";

/** Name of the entry that ends an archive. */
export const TRAILER = "TRAILER!!!";

/** The S_IFMT bits of the mode field (inode(7)). */
export const TYPE_BITS = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  "character-device": 0o020000,
  "block-device": 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
} as const;
