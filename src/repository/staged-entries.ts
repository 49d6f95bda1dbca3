/** What goes from a staged repository onto the disk it was staged for. */

import { readlinkSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../bytes/index.ts";
import { asSealrootError } from "../errors/index.ts";
import { offlineSizeBytes, sortedEntries } from "../objects/index.ts";

/** A name in the repository, with the permission bits that it has when root makes it (spec/repository.md 1). */
export type StagedEntry = {
  /** Relative to the repository. */
  readonly path: string;
  readonly mode: number;
} & (
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: ByteString }
  | {
      readonly kind: "file";
      /** Absolute; after its data the file continues with the metadata of fs-verity. */
      readonly source: string;
      /** Length of the data. */
      readonly sizeBytes: number;
    }
);

/**
 * Everything in a staged repository, directories before what is in them, each directory's names in order.
 * @throws SealrootError `corrupt` for a file without verity metadata, or an object with those of another
 */
export function* stagedEntries(repositoryPath: string): Generator<StagedEntry> {
  const pending = [""];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const folders: string[] = [];
    for (const child of sortedEntries(join(repositoryPath, folder))) {
      const path = join(folder, child.name);
      const source = join(repositoryPath, path);
      if (child.isDirectory()) {
        yield { kind: "directory", path, mode: 0o755 };
        folders.push(path);
      } else if (child.isSymbolicLink()) {
        yield { kind: "symlink", path, mode: 0o777, target: readlinkSync(source, "latin1") as ByteString };
      } else yield { kind: "file", path, mode: 0o644, source, sizeBytes: dataBytes(source, objectIdOf(path)) };
    }
    pending.push(...folders.reverse());
  }
}

function dataBytes(source: string, objectId: string | undefined): number {
  try {
    return offlineSizeBytes(source, objectId);
  } catch (error) {
    throw asSealrootError(error, "Cannot read the staged repository", { path: source });
  }
}

/** `objects/ab/cd…` is the object abcd…; `meta.json` is the only other file. */
function objectIdOf(path: string): string | undefined {
  const [, start, rest] = /^objects\/([0-9a-f]{2})\/([0-9a-f]+)$/.exec(path) ?? [];
  return start === undefined || rest === undefined ? undefined : `${start}${rest}`;
}
