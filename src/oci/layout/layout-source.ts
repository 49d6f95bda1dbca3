/** Layouts and archives of layouts as sources of images. */
import { SealrootError } from "../../errors/index.ts";
import { type Descriptor, type ImageIndex, readIndex } from "../documents.ts";
import type { ImageSource } from "../image-source.ts";
import { formatReference, type PathReference } from "../reference.ts";
import { resolvedPath } from "../resolved-path.ts";
import { OciArchive } from "./archive.ts";
import { OciLayout } from "./layout.ts";
import { layoutSignatures } from "./layout-signatures.ts";
import { entryAt, REF_NAME_ANNOTATION, waysToName } from "./ref-name.ts";
import { isFile, isLayout, splitWhereFound } from "./split-reference.ts";

/** @throws SealrootError `not-found` when there is no layout, or none of its images has the tag */
export async function openLayoutSource(typed: PathReference): Promise<ImageSource> {
  const reference = await splitWhereFound(typed, isLayout);
  const path = await resolvedPath(reference.path);
  const layout = await OciLayout.open(path);
  const index = await layout.readIndex();
  return {
    place: { transport: "oci", path },
    index: withTag(index, reference),
    names: waysToName(index),
    blobs: layout.blobs,
    signatures: layoutSignatures(index, layout.blobs),
    remote: false,
    readManifest: (descriptor) => layout.blobs.readWhole(descriptor),
    close: async () => {},
  };
}

/** As {@link openLayoutSource}, for a tar file with a layout in it. */
export async function openArchiveSource(typed: PathReference): Promise<ImageSource> {
  const reference = await splitWhereFound(typed, isFile);
  const archive = await OciArchive.open(reference.path);
  try {
    const index = readIndex(await archive.readDocument("index.json"), `${reference.path}/index.json`);
    return {
      place: { transport: "oci-archive", path: await archive.place() },
      index: withTag(index, reference),
      names: waysToName(index),
      blobs: archive,
      signatures: layoutSignatures(index, archive),
      remote: false,
      readManifest: (descriptor) => archive.readWhole(descriptor),
      close: () => archive.close(),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

function withTag(index: ImageIndex, reference: PathReference): ImageIndex {
  const tag = reference.tag;
  const isWanted = (entry: Descriptor) => tag === undefined || entry.annotations?.[REF_NAME_ANNOTATION] === tag;
  const named = index.manifests.filter(isWanted);
  const manifests = named.length > 0 || tag === undefined ? named : entryAt(index, tag);
  if (manifests.length > 0) return { ...index, manifests };
  const problem = tag === undefined ? "it is empty" : `it has no image with the tag "${tag}"`;
  throw new SealrootError("not-found", `Cannot open image ${formatReference(reference)}: ${problem}`, {
    path: reference.path,
    hint: `the tags there are: ${waysToName(index).join(", ") || "(none)"}`,
  });
}
