/** What mkcomposefs can leave out of a scanned directory (its manual page; spec/erofs.md 6, "C scan"). */
import type { ByteString } from "../bytes/index.ts";
import { keepXattrs } from "./create.ts";
import type { DirectoryNode, Metadata } from "./node.ts";
import { allDirectories } from "./walk.ts";

export interface ScanFilter {
  /** Xattrs that stay: all, the user's, or none. */
  readonly xattrs: "all" | "user" | "none";
  /** False: block and character devices are dropped; fifos and sockets stay. */
  readonly keepDevices: boolean;
  /** True: all times become 1970-01-01. */
  readonly atEpoch: boolean;
}

/** Applies the filter to a tree, in place. */
export function filterScan(root: DirectoryNode, filter: ScanFilter): void {
  filterMetadata(root.metadata, filter);
  for (const directory of allDirectories(root)) {
    for (const [name, child] of directory.entries) {
      const isDevice = child.kind === "block-device" || child.kind === "character-device";
      if (isDevice && !filter.keepDevices) directory.entries.delete(name);
      else filterMetadata(child.metadata, filter);
    }
  }
}

function filterMetadata(metadata: Metadata, filter: ScanFilter): void {
  const isKept = (name: ByteString) =>
    filter.xattrs === "all" || (filter.xattrs === "user" && name.startsWith("user."));
  keepXattrs(metadata, isKept);
  if (!filter.atEpoch) return;
  metadata.mtimeSeconds = 0n;
  metadata.mtimeNanoseconds = 0;
}
