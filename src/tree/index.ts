/**
 * tree: the file tree in memory and operations on it: lookup, dump file text, layer merge, OCI and boot transforms.
 *
 * Pure: nodes in, nodes out. May import `bytes/`, `errors/` and `selinux/` (for labels). Knows nothing of files on a
 * disk: directories are scanned and layers are opened in `repository/` and `imagestore/`.
 * @module
 */

export { type TreeChanges, treeChanges } from "./changes.ts";
export { cloneTree } from "./clone.ts";
export { firstTreeDifference, type TreeDifference } from "./compare.ts";
export {
  type BootRule,
  composeBootTree,
  composePlainTree,
  contentReader,
  DEFAULT_BOOT_RULE,
  makeBootable,
  makeBootableBothWays,
} from "./compose.ts";
export { newDirectory, newMetadata } from "./create.ts";
export { type DumpDialect, INLINE_PARSE_MAX_BYTES } from "./dump-leaf.ts";
export { type DumpOptions, parseDump } from "./dump-parser.ts";
export { type DumpPart, dumpLines, dumpPartLines, formatDump } from "./dump-writer.ts";
export { DIRENT_TYPES, FILE_TYPE_BITS, kindOfMode, modeOf, PERMISSION_MASK } from "./file-type.ts";
export type { ImageFiles } from "./image-files.ts";
export { applyLayerEntry, type LayerEntry } from "./layer.ts";
export {
  directoriesAt,
  hasDirectoryAt,
  hasFileAt,
  leavesBelow,
  type NodeFinder,
  namesAt,
  requirePlainFile,
} from "./look-up.ts";
export * from "./node.ts";
export { objectIdOfPath, objectPath } from "./object-path.ts";
export {
  DEPTH_MAX,
  joinPath,
  lookupPath,
  NAME_MAX_BYTES,
  quotePath,
  type ResolvedPath,
  resolvePath,
  splitPath,
  subdirectory,
} from "./path.ts";
export { filterScan, type ScanFilter } from "./scan-filter.ts";
export { type ContentReader, readSelinuxPolicy } from "./selinux-files.ts";
export { type BootTimes, LABEL_XATTR } from "./transform-boot.ts";
export { TreeFiles } from "./tree-files.ts";
export { allDirectories, directoryLinkCount, hardLinkCounts, sortedNames, type TreeVisit, walkTree } from "./walk.ts";
