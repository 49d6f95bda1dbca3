/** Removing an image's names, so that gc may collect the image. */
import { SealrootError } from "../errors/index.ts";
import type { Repository } from "../repository/index.ts";
import { HOST_TAG_PREFIX } from "./host-tags.ts";
import { findImage, taggedManifest, untagImage } from "./images.ts";
import { manifestStreamName, TAG_DIRECTORY } from "./stream-names.ts";
import { decodeTag } from "./tag-names.ts";

export interface RemovedImage {
  readonly manifestDigest: string;
  /** The removed tags. */
  readonly removed: readonly string[];
  /** The tags it still has; without any, gc collects it. */
  readonly kept: readonly string[];
}

/**
 * Removes a tag or, given the digest of a manifest (as for findImage), all tags of that image.
 *
 * @param options.force also a tag that a deployment of a host needs
 * @throws SealrootError `not-found`; `conflict` for a deployment's tag
 */
export async function removeImage(
  repository: Repository,
  name: string,
  options: { readonly force?: boolean } = {},
): Promise<RemovedImage> {
  const { manifestDigest } = await findImage(repository, name);
  const tags = tagsOf(repository, manifestDigest);
  const removed = taggedManifest(repository, name) === undefined ? tags : [name];
  const needed = removed.find((tag) => tag.startsWith(HOST_TAG_PREFIX));
  if (needed !== undefined && options.force !== true) {
    throw new SealrootError("conflict", `Cannot remove image "${needed}": this is the tag of a deployment`, {
      path: repository.path,
      hint: "delete the deployment instead; if there is none with this image, add --force",
    });
  }
  if (removed.length === 0) {
    throw new SealrootError("not-found", `Cannot remove image "${name}": it has no tag`, {
      path: repository.path,
      hint: "sealroot repo gc deletes what no tag needs",
    });
  }
  for (const tag of removed) untagImage(repository, tag);
  return { manifestDigest, removed, kept: tags.filter((tag) => !removed.includes(tag)) };
}

function tagsOf(repository: Repository, manifestDigest: string): string[] {
  const wanted = manifestStreamName(manifestDigest);
  const references = repository.streams.references(TAG_DIRECTORY).filter(({ entry }) => entry === wanted);
  return references.map(({ name }) => decodeTag(name.slice(TAG_DIRECTORY.length + 1)));
}
