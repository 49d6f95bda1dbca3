/** The packages of an image, by the databases that it carries. */
import { SealrootError } from "../../errors/index.ts";
import {
  compareDpkgVersions,
  compareRpmPackageVersions,
  type InstalledPackage,
  packageChanges,
  parseDpkgStatus,
  parseRpmDatabase,
} from "../../packages/index.ts";
import type { FileContent, NodeFinder } from "../../tree/index.ts";
import { isKnown, type Known, type PlannedPackages } from "./update-plan.ts";

type Tool = PlannedPackages["tool"];

/** By the tools whose databases are there. */
export type PackageLists = ReadonlyMap<Tool, Known<readonly InstalledPackage[]>>;

export type ReadContent = (content: FileContent) => Promise<Uint8Array> | Uint8Array;

/** Where dpkg's database is: its own place, and those of images that keep it with `/usr`. The first there is counts. */
const DPKG_DIRECTORIES = ["/var/lib/dpkg", "/usr/lib/sysimage/dpkg", "/usr/lib/dpkg-db", "/usr/share/dpkg-db"];
/** Of rpm: today's, that of rpm-ostree, and the old one, which is a link to one of them where they are. */
const RPM_DIRECTORIES = ["/usr/lib/sysimage/rpm", "/usr/share/rpm", "/var/lib/rpm"];
/** Databases of rpm that are not read. */
const OTHER_RPM_FILES = { Packages: "Berkeley DB", "Packages.db": "ndb" } as const;
/** A database of 50,000 packages has half of it. */
const DATABASE_MAX_BYTES = 1 << 29;

/**
 * Reads the databases of dpkg and rpm. What cannot be read is unknown, and is no reason to refuse a plan.
 *
 * @param readContent gives the bytes of a file of the image
 */
export async function readPackageLists(image: NodeFinder, readContent: ReadContent): Promise<PackageLists> {
  const lists = new Map<Tool, Known<readonly InstalledPackage[]>>();
  const put = async (tool: Tool, list: () => Promise<readonly InstalledPackage[] | undefined>) => {
    const found = await orUnknown(list);
    if (found !== undefined) lists.set(tool, found);
  };
  await put("dpkg", () => dpkgPackages(image, readContent));
  await put("rpm", () => rpmPackages(image, readContent));
  return lists;
}

const COMPARE = { dpkg: compareDpkgVersions, rpm: compareRpmPackageVersions } as const;

/** A tool that one of the images does not use has no packages there. */
export function changesOfPackages(before: PackageLists, after: PackageLists): PlannedPackages[] {
  const tools = (["dpkg", "rpm"] as const).filter((tool) => before.has(tool) || after.has(tool));
  return tools.map((tool) => {
    const [old, next] = [before.get(tool) ?? [], after.get(tool) ?? []];
    if (!isKnown(old)) return { tool, changes: { unknown: `those that run: ${old.unknown}` } };
    if (!isKnown(next)) return { tool, changes: next };
    return { tool, changes: packageChanges(old, next, COMPARE[tool]) };
  });
}

async function orUnknown<Value>(read: () => Promise<Value>): Promise<Known<Value>> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof SealrootError) return { unknown: error.message };
    throw error;
  }
}

async function dpkgPackages(image: NodeFinder, read: ReadContent): Promise<InstalledPackage[] | undefined> {
  for (const directory of DPKG_DIRECTORIES) {
    const status = fileAt(image, `${directory}/status`);
    const parts = image.list(`${directory}/status.d`).filter((name) => !name.endsWith(".md5sums"));
    if (status === undefined && parts.length === 0) continue;
    const files = parts.map((name) => fileAt(image, `${directory}/status.d/${name}`));
    const packages: InstalledPackage[] = [];
    for (const file of [status, ...files]) {
      if (file !== undefined) packages.push(...parseDpkgStatus(await read(file)));
    }
    return packages;
  }
  return undefined;
}

async function rpmPackages(image: NodeFinder, read: ReadContent): Promise<InstalledPackage[] | undefined> {
  for (const directory of RPM_DIRECTORIES) {
    const database = fileAt(image, `${directory}/rpmdb.sqlite`);
    if (database !== undefined) {
      const log = fileAt(image, `${directory}/rpmdb.sqlite-wal`);
      if (log !== undefined && sizeOf(log) > 0) throw unreadable("it was not closed: its write-ahead log is not empty");
      return parseRpmDatabase(await read(database));
    }
    for (const [name, format] of Object.entries(OTHER_RPM_FILES)) {
      if (fileAt(image, `${directory}/${name}`) !== undefined) throw unreadable(`its format, ${format}, is an old one`);
    }
  }
  return undefined;
}

function unreadable(reason: string): SealrootError {
  return new SealrootError("unsupported", `Cannot read rpm's database: ${reason}`);
}

function fileAt(image: NodeFinder, path: string): FileContent | undefined {
  const node = image.resolve(path)?.node;
  if (node?.kind !== "file") return undefined;
  if (sizeOf(node.content) <= DATABASE_MAX_BYTES) return node.content;
  throw new SealrootError(
    "unsupported",
    `Cannot read ${path} in the image: it has more than ${DATABASE_MAX_BYTES} bytes`,
  );
}

function sizeOf(content: FileContent): number {
  return content.type === "inline" ? content.bytes.length : content.sizeBytes;
}
