/** The packages of an image, by the databases that it carries. */
import { SealrootError } from "../errors/index.ts";
import type { NodeFinder } from "../tree/index.ts";
import { findDpkgDatabase, findRpmDatabase, type ReadContent, readFound } from "./databases.ts";
import { compareDpkgVersions, parseDpkgStatus } from "./dpkg.ts";
import type { InstalledPackage } from "./package.ts";
import { type PackageChanges, packageChanges } from "./package-changes.ts";
import { compareRpmPackageVersions, parseRpmDatabase } from "./rpm.ts";

export type PackageTool = "dpkg" | "rpm";

/** Packages that cannot be told, and why. */
export interface UnknownPackages {
  readonly unknown: string;
}

/** By the tools whose databases are there. */
export type PackageLists = ReadonlyMap<PackageTool, readonly InstalledPackage[] | UnknownPackages>;

/** Of one tool. */
export interface ToolChanges {
  readonly tool: PackageTool;
  readonly changes: PackageChanges | UnknownPackages;
}

/**
 * Reads the databases of dpkg and rpm. What cannot be read is unknown, which is no reason to refuse what lists are only a part of.
 *
 * @param readContent gives the bytes of a file of the image
 */
export async function readPackageLists(image: NodeFinder, readContent: ReadContent): Promise<PackageLists> {
  const lists = new Map<PackageTool, readonly InstalledPackage[] | UnknownPackages>();
  const put = async (tool: PackageTool, list: () => Promise<readonly InstalledPackage[] | undefined>) => {
    const found = await orUnknown(list);
    if (found !== undefined) lists.set(tool, found);
  };
  await put("dpkg", () => dpkgPackages(image, readContent));
  await put("rpm", () => rpmPackages(image, readContent));
  return lists;
}

const COMPARE = { dpkg: compareDpkgVersions, rpm: compareRpmPackageVersions } as const;

/**
 * A tool that one of the images does not use has no packages there.
 * @param names of the two images, for what is unknown
 */
export function changesOfPackages(
  before: PackageLists,
  after: PackageLists,
  names = { before: "those that run", after: undefined as string | undefined },
): ToolChanges[] {
  const tools = (["dpkg", "rpm"] as const).filter((tool) => before.has(tool) || after.has(tool));
  return tools.map((tool) => {
    const [old, next] = [before.get(tool) ?? [], after.get(tool) ?? []];
    if ("unknown" in old) return { tool, changes: unknownOf(names.before, old) };
    if ("unknown" in next) return { tool, changes: unknownOf(names.after, next) };
    return { tool, changes: packageChanges(old, next, COMPARE[tool]) };
  });
}

function unknownOf(name: string | undefined, { unknown }: UnknownPackages): UnknownPackages {
  return { unknown: name === undefined ? unknown : `${name}: ${unknown}` };
}

async function orUnknown<Value>(read: () => Promise<Value>): Promise<Value | UnknownPackages> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof SealrootError) return { unknown: error.message };
    throw error;
  }
}

async function dpkgPackages(image: NodeFinder, read: ReadContent): Promise<InstalledPackage[] | undefined> {
  const database = findDpkgDatabase(image);
  if (database === undefined) return undefined;
  const packages: InstalledPackage[] = [];
  for (const file of database.lists) packages.push(...parseDpkgStatus(await readFound(file, read)));
  return packages;
}

async function rpmPackages(image: NodeFinder, read: ReadContent): Promise<InstalledPackage[] | undefined> {
  const database = findRpmDatabase(image);
  return database && parseRpmDatabase(await readFound(database, read));
}
