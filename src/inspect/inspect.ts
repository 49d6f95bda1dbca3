/** What a word names, and what that is. */
import { readFileSync, type Stats, statSync } from "node:fs";
import { parseOsRelease } from "../bls/index.ts";
import { inspectRoot, RootDirectory } from "../container/index.ts";
import { fileKindOf } from "../diff/index.ts";
import { IMAGE_MAX_BYTES, readErofs } from "../erofs/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { parseReference } from "../oci/index.ts";
import { allDirectories, type DirectoryNode, hasFileAt, parseDump } from "../tree/index.ts";
import { verityDigest } from "../verity/index.ts";
import { diskPart } from "./disk-part.ts";
import { type ImagePartOptions, imagePart } from "./image-part.ts";
import { type Part, PartDraft } from "./part.ts";
import { programPart } from "./program-part.ts";

const TRANSPORT = /^[a-z][a-z0-9-]*:/;
/** Larger than any program, and than the dump of a million files. */
const FILE_MAX_BYTES = 2 ** 31;
const OS_RELEASE = "/usr/lib/os-release";

/**
 * Reads what there is under a name: a file goes before a reference of the same spelling.
 *
 * @throws SealrootError `not-found` when nothing has that name, `unsupported` for what is nothing of ours
 */
export async function inspectThing(given: string, options: ImagePartOptions): Promise<Part> {
  const stat = statSync(given, { throwIfNoEntry: false });
  if (stat !== undefined) return filePart(given, stat, options);
  if (TRANSPORT.test(given)) return imagePart(parseReference(given), options);
  throw new SealrootError("not-found", `Cannot inspect "${given}": there is no such file`, {
    path: given,
    hint: "name an image with its transport, such as oci:DIR:TAG or docker://HOST/NAME:TAG",
  });
}

async function filePart(given: string, stat: Stats, options: ImagePartOptions): Promise<Part> {
  const kind = attempt(given, () => fileKindOf(given, stat));
  switch (kind) {
    case "layout":
      return imagePart(parseReference(`oci:${given}`), options);
    case "directory":
      return rootPart(given);
    case "disk":
      return attempt(given, () => diskPart(given));
    case "EFI program":
      return programPart(readBounded(given, stat), given);
    case "EROFS image":
      return erofsPart(given, stat);
    case "dump file":
      return treePart(new PartDraft("dump file", given), () =>
        parseDump(readBounded(given, stat), { allowNegativeTimes: true }),
      );
    case "archive":
    case "other":
      throw new SealrootError("unsupported", `Cannot inspect ${given}: it is no image, disk, EFI program or tree`, {
        path: given,
        ...(kind === "archive" && {
          hint: `of an image in an archive, write oci-archive:${given} or docker-archive:${given}`,
        }),
      });
  }
}

function readBounded(path: string, { size }: Stats): Buffer {
  if (size > FILE_MAX_BYTES)
    throw new SealrootError("unsupported", `Cannot read ${path}: it has ${size} bytes`, { path });
  return attempt(path, () => readFileSync(path));
}

function attempt<Value>(path: string, work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}

async function rootPart(given: string): Promise<Part> {
  const directory = new RootDirectory(given);
  const draft = new PartDraft("root file system", given);
  draft.attempt(() => {
    if (!hasFileAt(directory.files, OS_RELEASE)) return;
    const release = parseOsRelease(Buffer.from(directory.files.read(OS_RELEASE)).toString("utf8"));
    draft.fact("os", release.get("PRETTY_NAME") ?? release.get("ID"));
  });
  await draft.attemptAsync(async () => {
    const { kargs, kernel } = await inspectRoot(directory);
    if (kernel !== null) draft.fact("kernel", kernel.version).fact("kernelType", kernel.type);
    if (kargs.length > 0) draft.fact("kernelArguments", kargs);
  });
  return draft.finish();
}

function erofsPart(given: string, stat: Stats): Part {
  const draft = new PartDraft("EROFS image", given).fact("sizeBytes", stat.size);
  if (stat.size > IMAGE_MAX_BYTES) {
    throw new SealrootError("unsupported", `Cannot read ${given}: it has ${stat.size} bytes`, { path: given });
  }
  return treePart(draft, () => {
    const bytes = readBounded(given, stat);
    const { root, version, algorithm } = readErofs(bytes);
    draft.fact("version", version).fact("imageId", verityDigest(bytes, algorithm ?? "sha512"));
    return root;
  });
}

function treePart(draft: PartDraft, read: () => DirectoryNode): Part {
  return draft
    .attempt(() => {
      let [directories, others] = [0, 0];
      for (const { entries } of allDirectories(read())) {
        directories++;
        for (const node of entries.values()) if (node.kind !== "directory") others++;
      }
      draft.fact("directories", directories).fact("otherNames", others);
    })
    .finish();
}
