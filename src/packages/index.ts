/**
 * packages: which packages a system has and whose its files are, as the databases of dpkg and rpm say, and how two lists
 * differ.
 *
 * Pure: bytes and trees in, values out. May import bytes, errors, tree and bls (RPM's order of versions).
 * @module
 */

export type { ReadContent } from "./databases.ts";
export { compareDpkgVersions, parseDpkgStatus } from "./dpkg.ts";
export { type FileOwners, readFileOwners } from "./file-owners.ts";
export type { InstalledPackage } from "./package.ts";
export { type ChangedPackage, type PackageChanges, packageChanges, packageChangesJson } from "./package-changes.ts";
export {
  changesOfPackages,
  type PackageLists,
  type PackageTool,
  readPackageLists,
  type ToolChanges,
  type UnknownPackages,
} from "./package-lists.ts";
export { compareRpmPackageVersions, parseRpmDatabase, parseRpmHeader } from "./rpm.ts";
export { type SqliteRow, type SqliteValue, sqliteRows } from "./sqlite.ts";
