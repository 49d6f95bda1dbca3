/**
 * diff: why two digests differ. Reads images from anywhere, directories, dump files, UKIs and disks, and compares their trees.
 *
 * System room: opens what `compare/` then compares; may use the stores, and `install/` for disks that do not run. Writes
 * nothing but temporary files; prints nothing.
 * @module
 */
export { diff } from "./diff.ts";
export { type FileKind, fileKindOf } from "./file-kind.ts";
export type { DiffOptions } from "./options.ts";
export type { DiffReport } from "./report.ts";
export { reportHtml } from "./report-html.ts";
export { reportJson } from "./report-json.ts";
export { reportLines } from "./report-text.ts";
