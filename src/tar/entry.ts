/** One entry of a tar stream with its extension headers applied. */
import type { ByteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import type { TarHeader } from "./header.ts";
import type { PaxOverrides } from "./pax.ts";

export type TarEntryKind =
  | "file"
  | "hardlink"
  | "symlink"
  | "character-device"
  | "block-device"
  | "directory"
  | "fifo"
  | "unknown";

const KIND_OF_FLAG: Readonly<Record<string, TarEntryKind>> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
  // POSIX "high-performance file"; treated as a regular file by everyone.
  "7": "file",
};

/** What a tar stream says about one name. Paths and targets are the bytes of the stream, not cleaned up. */
export interface TarEntry {
  readonly kind: TarEntryKind;
  readonly typeFlag: string;
  readonly path: ByteString;
  /** Target of a symbolic or hard link; undefined where it is absent or empty. */
  readonly linkPath: ByteString | undefined;
  /** The mode field as it stands, type bits included where a writer put them there. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanoseconds: number;
  /** Nanoseconds since the epoch, where a PAX or GNU header has it; of no use to a tree, but part of the header. */
  readonly accessTimeNs: bigint | undefined;
  readonly changeTimeNs: bigint | undefined;
  readonly xattrs: Map<ByteString, Uint8Array>;
  /** Length of the body that follows, for every kind. */
  readonly sizeBytes: number;
  readonly device: { readonly major: number; readonly minor: number } | undefined;
  /** Where the entry's own header block lies in the tar stream. */
  readonly headerOffset: number;
}

/** Extension headers collected in front of an entry. */
export interface Extensions {
  pax?: PaxOverrides;
  /** Body of a GNU `L` header. */
  longPath?: ByteString;
  /** Body of a GNU `K` header. */
  longLink?: ByteString;
}

/**
 * Applies the extension headers: PAX before GNU before the header's own field (spec/oci.md 3).
 * @throws SealrootError `corrupt` for an empty path
 */
export function resolveEntry(header: TarHeader, extensions: Extensions, headerOffset: number): TarEntry {
  const { pax } = extensions;
  const path = pax?.path ?? extensions.longPath ?? header.path;
  if (path === "") throw corrupt("Cannot read tar stream: entry has an empty path", { offset: headerOffset });
  const link = pax?.linkPath ?? extensions.longLink ?? header.linkName;
  return {
    kind: KIND_OF_FLAG[header.typeFlag] ?? "unknown",
    typeFlag: header.typeFlag,
    path,
    linkPath: link === "" ? undefined : link,
    mode: header.mode,
    uid: pax?.uid ?? header.uid,
    gid: pax?.gid ?? header.gid,
    mtimeSeconds: pax?.mtimeSeconds === undefined ? header.mtimeSeconds : BigInt.asIntN(64, pax.mtimeSeconds),
    mtimeNanoseconds: pax?.mtimeNanoseconds ?? 0,
    accessTimeNs: pax?.accessTimeNs ?? header.accessTimeNs,
    changeTimeNs: pax?.changeTimeNs ?? header.changeTimeNs,
    xattrs: pax?.xattrs ?? new Map(),
    sizeBytes: pax?.sizeBytes ?? header.sizeBytes,
    device: header.device,
    headerOffset,
  };
}
