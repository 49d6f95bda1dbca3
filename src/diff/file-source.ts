/** Dump files, EROFS images and UKIs. */
import { readFileSync, statSync } from "node:fs";
import { CommandLine, findComposefsArguments } from "../bls/index.ts";
import { displayText } from "../bytes/index.ts";
import { compositionOf } from "../compare/index.ts";
import { type ErofsImage, IMAGE_MAX_BYTES, readErofs } from "../erofs/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { readUki } from "../pe/index.ts";
import { readStoredTree } from "../repository/index.ts";
import { allDirectories, type ContentReader, contentReader, type DirectoryNode, parseDump } from "../tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../verity/index.ts";
import type { DiffOptions } from "./options.ts";
import type { Source, SourceTree } from "./source.ts";

/** A million files have a few hundred megabytes. */
const DUMP_MAX_BYTES = 2 ** 31;
const UKI_MAX_BYTES = 2 ** 30;

export function dumpSource(given: string, options: DiffOptions): Source {
  const root = parseDump(readBounded(given, DUMP_MAX_BYTES), { allowNegativeTimes: true });
  return {
    ...{ given, kind: "dump file", algorithm: algorithmOf(root), names: [] },
    read: async () => treeOf(root, options),
  };
}

export function erofsSource(given: string, options: DiffOptions): Source {
  const bytes = readBounded(given, IMAGE_MAX_BYTES);
  const image = readErofs(bytes);
  return {
    ...{ given, kind: "EROFS image", algorithm: image.algorithm, names: [] },
    read: async (algorithm) => imageSourceTree(image, verityDigest(bytes, algorithm), options),
  };
}

/** @param id of the image's bytes */
export function imageSourceTree({ root, version }: ErofsImage, id: string, options: DiffOptions): SourceTree {
  return { ...treeOf(root, options), image: { id, version }, remark: `version ${version}` };
}

function treeOf(root: DirectoryNode, options: DiffOptions): SourceTree {
  return {
    root,
    composition: compositionOf(root),
    history: undefined,
    isUnpacked: true,
    readContent: contentsOf(options),
  };
}

/** Such a tree has the digests of its files; the files are in a repository, if there is one. */
function contentsOf({ repository }: DiffOptions): ContentReader {
  return (content, path) => {
    const read = contentReader((objectId) => {
      if (repository?.algorithm === algorithmOfId(objectId)) return repository.objects.read(objectId);
      throw new SealrootError("not-found", `Cannot read ${displayText(path)}: only its digest is at hand`, {
        hint: "give --repo with a repository that has the files",
      });
    });
    return read(content, path);
  };
}

/**
 * A UKI: the images that it names, and the tree of the first of them that the repository has.
 * @throws SealrootError as readUki and findComposefsArguments; `unsupported` when it names none
 */
export function ukiSource(given: string, options: DiffOptions): Source {
  const { commandLine = "" } = readUki(readBounded(given, UKI_MAX_BYTES), given);
  const names = findComposefsArguments(CommandLine.parse(commandLine));
  const [first] = names;
  if (first === undefined) {
    throw new SealrootError("unsupported", `Cannot compare ${given}: it names no image`, {
      path: given,
      actual: commandLine,
    });
  }
  const { repository } = options;
  const entry = names.flatMap(({ id }) => repository?.images.named(id) ?? [])[0];
  return {
    ...{ given, kind: "UKI", algorithm: first.algorithm, names },
    read:
      repository === undefined || entry === undefined
        ? undefined
        : async () => imageSourceTree(readStoredTree(repository, entry), entry.objectId, options),
  };
}

function readBounded(path: string, limitBytes: number): Buffer {
  try {
    const { size } = statSync(path);
    if (size <= limitBytes) return readFileSync(path);
    throw new SealrootError("unsupported", `Cannot read ${path}: it has ${size} bytes`, { path });
  } catch (error) {
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}

export function algorithmOfId(id: string): VerityAlgorithm {
  return id.length === 64 ? "sha256" : "sha512";
}

/** That of the first digest there is. */
export function algorithmOf(root: DirectoryNode): VerityAlgorithm | undefined {
  for (const { entries } of allDirectories(root)) {
    for (const node of entries.values()) {
      if (node.kind !== "file" || node.content.type === "inline" || node.content.objectId === undefined) continue;
      return algorithmOfId(node.content.objectId);
    }
  }
  return undefined;
}
