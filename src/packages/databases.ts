/** Where in an image the databases of dpkg and rpm are. */
import { SealrootError } from "../errors/index.ts";
import type { FileContent, NodeFinder } from "../tree/index.ts";

/** Gives the bytes of a file of the image. @param path where it really is */
export type ReadContent = (content: FileContent, path: string) => Promise<Uint8Array> | Uint8Array;

export interface FoundFile {
  readonly path: string;
  readonly content: FileContent;
}

/** Where dpkg's database is: its own place, and those of images that keep it with `/usr`. The first there is counts. */
const DPKG_DIRECTORIES = ["/var/lib/dpkg", "/usr/lib/sysimage/dpkg", "/usr/lib/dpkg-db", "/usr/share/dpkg-db"];
/** Of rpm: today's, that of rpm-ostree, and the old one, which is a link to one of them where they are. */
const RPM_DIRECTORIES = ["/usr/lib/sysimage/rpm", "/usr/share/rpm", "/var/lib/rpm"];
/** Databases of rpm that are not read. */
const OTHER_RPM_FILES = { Packages: "Berkeley DB", "Packages.db": "ndb" } as const;
/** A database of 50,000 packages has half of it. */
const DATABASE_MAX_BYTES = 1 << 29;

export interface DpkgDatabase {
  readonly directory: string;
  /** `status`, and the files of `status.d`. */
  readonly lists: readonly FoundFile[];
}

/** @throws SealrootError `unsupported` for a file that is too large */
export function findDpkgDatabase(image: NodeFinder): DpkgDatabase | undefined {
  for (const directory of DPKG_DIRECTORIES) {
    const status = fileAt(image, `${directory}/status`);
    const parts = image.list(`${directory}/status.d`).filter((name) => !name.endsWith(".md5sums"));
    if (status === undefined && parts.length === 0) continue;
    const files = parts.map((name) => fileAt(image, `${directory}/status.d/${name}`));
    return { directory, lists: [status, ...files].filter((file) => file !== undefined) };
  }
  return undefined;
}

/** @throws SealrootError `unsupported` for a database in another format, or one that was not closed */
export function findRpmDatabase(image: NodeFinder): FoundFile | undefined {
  for (const directory of RPM_DIRECTORIES) {
    const database = fileAt(image, `${directory}/rpmdb.sqlite`);
    if (database !== undefined) {
      const log = fileAt(image, `${directory}/rpmdb.sqlite-wal`);
      if (log !== undefined && sizeOf(log.content) > 0)
        throw unreadable("it was not closed: its write-ahead log is not empty");
      return database;
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

/** A regular file, or that which a link leads to. @throws SealrootError `unsupported` for one that is too large */
export function fileAt(image: NodeFinder, path: string): FoundFile | undefined {
  const found = image.resolve(path);
  if (found?.node.kind !== "file") return undefined;
  const { content } = found.node;
  if (sizeOf(content) <= DATABASE_MAX_BYTES) return { path: found.path, content };
  throw new SealrootError(
    "unsupported",
    `Cannot read ${path} in the image: it has more than ${DATABASE_MAX_BYTES} bytes`,
  );
}

export function readFound({ content, path }: FoundFile, read: ReadContent): Promise<Uint8Array> | Uint8Array {
  return read(content, path);
}

function sizeOf(content: FileContent): number {
  return content.type === "inline" ? content.bytes.length : content.sizeBytes;
}
