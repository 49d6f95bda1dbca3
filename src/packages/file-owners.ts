/** Which package a file of an image belongs to. */
import { type ByteString, byteStringOfText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { NodeFinder } from "../tree/index.ts";
import { fileAt, findDpkgDatabase, findRpmDatabase, type ReadContent, readFound } from "./databases.ts";
import { parseRpmFileLists } from "./rpm-files.ts";

/** The packages of paths; of what several have, such as most directories, none. */
export interface FileOwners {
  /** @param path absolute, free of links */
  ownerOf(path: ByteString): string | undefined;
}

/**
 * Reads dpkg's lists of files (`info/PACKAGE.list`, and `status.d/PACKAGE.md5sums` of images that have no more) and rpm's.
 * What cannot be read owns nothing.
 */
export async function readFileOwners(image: NodeFinder, read: ReadContent): Promise<FileOwners> {
  const owners = new Owners(image);
  await orNothing(() => readDpkgFiles(image, read, owners));
  await orNothing(async () => {
    const database = findRpmDatabase(image);
    if (database === undefined) return;
    for (const { name, paths } of parseRpmFileLists(await readFound(database, read))) {
      for (const path of paths) owners.add(path, name);
    }
  });
  return owners;
}

async function orNothing(read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
  }
}

async function readDpkgFiles(image: NodeFinder, read: ReadContent, owners: Owners): Promise<void> {
  const directory = findDpkgDatabase(image)?.directory;
  if (directory === undefined) return;
  for (const name of image.list(`${directory}/info`)) {
    // Of several architectures the name has one: libc6:amd64.list.
    const [, owner] = /^([^:]+)(?::[^:]+)?\.list$/.exec(name) ?? [];
    if (owner === undefined) continue;
    for (const line of await linesOf(`${directory}/info/${name}`)) owners.add(line as ByteString, owner);
  }
  for (const name of image.list(`${directory}/status.d`)) {
    const [, owner] = /^(.+)\.md5sums$/.exec(name) ?? [];
    if (owner === undefined) continue;
    for (const line of await linesOf(`${directory}/status.d/${name}`)) {
      const [, path] = /^[0-9a-f]{32} {2}(.+)$/.exec(line) ?? [];
      if (path !== undefined) owners.add(`/${path}` as ByteString, owner);
    }
  }

  async function linesOf(path: string): Promise<string[]> {
    const file = fileAt(image, path);
    return file === undefined
      ? []
      : Buffer.from(await readFound(file, read))
          .toString("latin1")
          .split("\n");
  }
}

/** Several packages own it. */
const SHARED = Symbol("shared");

class Owners implements FileOwners {
  readonly #byPath = new Map<string, string | typeof SHARED>();
  /** Directories of the root that are links, as /bin is where /usr is merged: packages know both names. */
  readonly #aliases = new Map<string, string>();
  readonly #image: NodeFinder;

  constructor(image: NodeFinder) {
    this.#image = image;
  }

  /** @param path as the database has it */
  add(path: ByteString, owner: string): void {
    if (!path.startsWith("/") || path === "/.") return;
    const end = path.indexOf("/", 1);
    const top = end < 0 ? path : path.slice(0, end);
    const real = end < 0 ? path : `${this.#realTop(top)}${path.slice(end)}`;
    const known = this.#byPath.get(real);
    this.#byPath.set(real, known === undefined || known === owner ? owner : SHARED);
  }

  #realTop(top: string): string {
    const known = this.#aliases.get(top);
    if (known !== undefined) return known;
    const found = this.#image.resolve(top);
    const real = found?.node.kind === "directory" ? byteStringOfText(found.path) : top;
    this.#aliases.set(top, real);
    return real;
  }

  ownerOf(path: ByteString): string | undefined {
    const owner = this.#byPath.get(path);
    return owner === SHARED ? undefined : owner;
  }
}
