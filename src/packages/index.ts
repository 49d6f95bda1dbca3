/**
 * packages: which packages a system has, as the databases of dpkg and rpm say, and how two lists differ.
 *
 * Pure: bytes in, values out. May import bytes, errors and bls (RPM's order of versions).
 * @module
 */
export { compareDpkgVersions, parseDpkgStatus } from "./dpkg.ts";
export type { InstalledPackage } from "./package.ts";
export { type ChangedPackage, type PackageChanges, packageChanges } from "./package-changes.ts";
export { compareRpmPackageVersions, parseRpmDatabase, parseRpmHeader } from "./rpm.ts";
export { type SqliteRow, type SqliteValue, sqliteRows } from "./sqlite.ts";
