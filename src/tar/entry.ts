/** One entry of a tar stream with its extension headers applied. */
import type { ByteString } from "../bytes/index.ts";
import type { Extensions } from "./extensions.ts";
import type { TarHeader } from "./header.ts";
import { type TarPlace, tarError } from "./place.ts";
import type { SparseMap } from "./sparse.ts";

export type TarEntryKind =
  | "file"
  | "hardlink"
  | "symlink"
  | "character-device"
  | "block-device"
  | "directory"
  | "fifo"
  | "unknown";

/** The oldest writers' type flag for files and directories. */
const OLD_FLAG = "\0";
/** A file of the old GNU form, with its regions after the fields of the header. */
export const OLD_SPARSE_FLAG = "S";

const KIND_OF_FLAG: Readonly<Record<string, TarEntryKind>> = {
  [OLD_FLAG]: "file",
  "0": "file",
  [OLD_SPARSE_FLAG]: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
  // POSIX "high-performance file"; treated as a regular file by everyone.
  "7": "file",
};

/** A file, or an entry of unknown kind. Nothing else has a body, whatever its size field says. */
const HAS_BODY: ReadonlySet<TarEntryKind> = new Set(["file", "unknown"]);

/** Shared: a separate map for each entry would be a third of a large layer's memory. */
const NO_XATTRS: ReadonlyMap<ByteString, Uint8Array> = new Map();

/** What a tar stream says about one name. Paths and targets are the bytes of the stream, not cleaned up. */
export interface TarEntry {
  readonly kind: TarEntryKind;
  readonly typeFlag: string;
  readonly path: ByteString;
  /** Target of a symbolic or hard link; undefined if it is absent or empty. */
  readonly linkPath: ByteString | undefined;
  /** The raw mode field, with type bits if a writer put them there. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanoseconds: number;
  /**
   * Nanoseconds since the epoch, if a PAX or GNU header has it; a tree does not need it, but it is part of the header.
   */
  readonly accessTimeNs: bigint | undefined;
  readonly changeTimeNs: bigint | undefined;
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>;
  /** Length of a file's content, including holes; for an unknown kind, that of the body. */
  readonly sizeBytes: number;
  /** Length of the body that follows in the stream; differs from `sizeBytes` only for files with holes. */
  readonly storedBytes: number;
  /** How the body becomes the content; undefined if it is the content. */
  readonly sparse: SparseMap | undefined;
  readonly device: { readonly major: number; readonly minor: number } | undefined;
  /** Where the entry's own header block is in the tar stream. */
  readonly headerOffset: number;
}

/**
 * Applies the extension headers: PAX before GNU before the header's own field (spec/oci.md 3).
 *
 * Links, devices, fifos and directories have no body (POSIX.1-2017, pax, "typeflag"): Go's writer and SunOS's tar put
 * sizes there, and GNU tar, bsdtar, Go and Python still read a header next. A file whose name ends with a slash is a
 * directory, as the oldest writers cannot say it otherwise.
 *
 * @param previous the entry before: equal times share a number, as each takes 24 bytes
 * @throws SealrootError `corrupt` for an empty path, or an old directory with a body, which is a file to other readers
 */
export function resolveEntry(
  header: TarHeader,
  extensions: Extensions,
  place: TarPlace,
  previous?: TarEntry,
): TarEntry {
  const { pax } = extensions;
  const path = pax?.path ?? extensions.longPath ?? header.path;
  if (path === "") throw tarError(place, "entry has an empty path");
  const link = pax?.linkPath ?? extensions.longLink ?? header.linkName;
  const kindOfFlag = KIND_OF_FLAG[header.typeFlag] ?? "unknown";
  const kind = kindOfFlag === "file" && path.endsWith("/") ? "directory" : kindOfFlag;
  const statedBytes = pax?.sizeBytes ?? header.sizeBytes;
  if (kind === "directory" && kindOfFlag === "file" && header.typeFlag !== OLD_FLAG && statedBytes > 0) {
    const reason = `a file of ${statedBytes} bytes whose name ends with a slash, which is a directory to other readers`;
    throw tarError({ ...place, path }, reason);
  }
  const mtimeSeconds = pax?.mtimeSeconds === undefined ? header.mtimeSeconds : BigInt.asIntN(64, pax.mtimeSeconds);
  const bodyBytes = HAS_BODY.has(kind) ? statedBytes : 0;
  return {
    kind,
    typeFlag: header.typeFlag === OLD_FLAG ? "0" : header.typeFlag,
    path,
    linkPath: link === "" ? undefined : link,
    mode: header.mode,
    uid: pax?.uid ?? header.uid,
    gid: pax?.gid ?? header.gid,
    mtimeSeconds: mtimeSeconds === previous?.mtimeSeconds ? previous.mtimeSeconds : mtimeSeconds,
    mtimeNanoseconds: pax?.mtimeNanoseconds ?? 0,
    accessTimeNs: pax?.accessTimeNs ?? header.accessTimeNs,
    changeTimeNs: pax?.changeTimeNs ?? header.changeTimeNs,
    xattrs: pax?.xattrs ?? NO_XATTRS,
    sizeBytes: bodyBytes,
    storedBytes: bodyBytes,
    sparse: undefined,
    device: header.device,
    headerOffset: place.offset,
  };
}

/** The entry of a file with holes. @param storedBytes length of its data, without any list of regions */
export function withSparse(entry: TarEntry, sparse: SparseMap, storedBytes: number): TarEntry {
  return { ...entry, sizeBytes: sparse.sizeBytes, storedBytes, sparse };
}
