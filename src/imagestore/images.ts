/** The images of a repository by name: list, find, tag (spec/oci.md 1; spec/repository.md 10). */
import { SealrootError } from "../errors/index.ts";
import { isDigest } from "../oci/index.ts";
import { idPrefixOf, imageIdOfTree, onlyCandidate, type Repository } from "../repository/index.ts";
import { readStoredConfig, readStoredImage, type StoredConfig, type StoredImage } from "./stored-image.ts";
import { MANIFEST_STREAM_PREFIX, manifestStreamName, REFERRERS_DIRECTORY, TAG_DIRECTORY } from "./stream-names.ts";
import { decodeTag, encodeTag } from "./tag-names.ts";
import { imageTree, type TreeVariant } from "./tree/image-tree.ts";

export interface ListedImage {
  readonly name: string;
  readonly image: StoredImage;
}

/**
 * All tagged images, by the bytes of their file names.
 * @throws SealrootError `corrupt` when a tag leads to something that cannot be read
 */
export async function listImages(repository: Repository): Promise<ListedImage[]> {
  const images: ListedImage[] = [];
  for (const { name, entry } of repository.streams.references(TAG_DIRECTORY)) {
    const tag = decodeTag(name.slice(TAG_DIRECTORY.length + 1));
    images.push({ name: tag, image: await requireImage(repository, manifestDigestOf(entry), tag) });
  }
  return images;
}

/**
 * Finds an image by its tag, or by its manifest's digest: whole or its first digits, with or without a leading
 * `sha256:` or `@`. A tag that looks like digits is a tag.
 *
 * @throws SealrootError `not-found`, or as readStoredImage; `usage` when several digests begin like that
 */
export async function findImage(repository: Repository, name: string): Promise<StoredImage> {
  const digest =
    taggedManifest(repository, name) ?? onlyCandidate(name, manifestsBeginningWith(repository, name))?.digest;
  if (digest !== undefined) return requireImage(repository, digest, name);
  const given = name.startsWith("@") ? name.slice(1) : name;
  if (isDigest(given)) return requireImage(repository, given, name);
  const what = `Cannot find image "${name}": OCI reference not found`;
  throw new SealrootError("not-found", what, { path: repository.path, hint: tagsHint(repository) });
}

/** The digest of the manifest that has this tag. */
export function taggedManifest(repository: Repository, tag: string): string | undefined {
  if (tag.startsWith("@")) return undefined;
  const entry = repository.streams.referenceTarget(`${TAG_DIRECTORY}/${encodeTag(tag)}`);
  return entry === undefined ? undefined : manifestDigestOf(entry);
}

/** The manifests whose digest begins with some digits, shown with their tags. */
export function manifestsBeginningWith(
  repository: Repository,
  text: string,
): { readonly digest: string; readonly shown: string }[] {
  const prefix = idPrefixOf(text.startsWith("@") ? text.slice(1) : text, ["sha256"]);
  if (prefix === undefined) return [];
  const wanted = manifestStreamName(`sha256:${prefix}`);
  const digests = repository.streams
    .entries()
    .flatMap(({ entry }) => (entry.startsWith(wanted) ? [manifestDigestOf(entry)] : []));
  if (digests.length < 2) return digests.map((digest) => ({ digest, shown: digest }));
  const tags = tagsByManifest(repository);
  return digests.map((digest) => ({ digest, shown: [digest, ...(tags.get(digest) ?? [])].join(" ") }));
}

function tagsByManifest(repository: Repository): ReadonlyMap<string, readonly string[]> {
  const tags = new Map<string, string[]>();
  for (const { name, entry } of repository.streams.references(TAG_DIRECTORY)) {
    const digest = manifestDigestOf(entry);
    tags.set(digest, [...(tags.get(digest) ?? []), decodeTag(name.slice(TAG_DIRECTORY.length + 1))]);
  }
  return tags;
}

/** Gives an image in the repository another name. */
export async function tagImage(repository: Repository, manifestDigest: string, name: string): Promise<void> {
  await requireImage(repository, manifestDigest, manifestDigest);
  repository.streams.setReference(`${TAG_DIRECTORY}/${encodeTag(name)}`, manifestStreamName(manifestDigest));
}

/**
 * Removes a name; the image stays until gc finds that nothing names it.
 * @throws SealrootError `not-found`
 */
export function untagImage(repository: Repository, name: string): void {
  if (repository.streams.removeReference(`${TAG_DIRECTORY}/${encodeTag(name)}`)) return;
  const what = `Cannot remove the tag "${name}": OCI reference not found`;
  throw new SealrootError("not-found", what, { path: repository.path, hint: tagsHint(repository) });
}

function tagsHint(repository: Repository): string {
  const start = TAG_DIRECTORY.length + 1;
  const tags = repository.streams.references(TAG_DIRECTORY).map(({ name }) => decodeTag(name.slice(start)));
  return `the images there are: ${tags.join(", ") || "(none)"}`;
}

/**
 * Computes the id of an image's EROFS image from its layers, ignoring what is recorded; writes nothing.
 * @param name a tag, or `@` and a configuration's or manifest's digest
 */
export async function computeImageId(repository: Repository, name: string, variant: TreeVariant): Promise<string> {
  const root = await imageTree(repository, await findConfig(repository, name), variant);
  const { algorithm, formats } = repository;
  return imageIdOfTree(root, algorithm, formats.default);
}

/** The configuration of an image; after an `@` its own digest works too, as with the reference tool. */
async function findConfig(repository: Repository, name: string): Promise<StoredConfig> {
  const digest = name.startsWith("@") ? name.slice(1) : "";
  const config = isDigest(digest) ? await readStoredConfig(repository, digest) : undefined;
  return config ?? findImage(repository, name);
}

/**
 * Digests of the artifacts that refer to an image, such as signatures (spec/oci.md 1, "Referrers").
 * @param manifestDigest of the image
 */
export function referrersOf(repository: Repository, manifestDigest: string): string[] {
  const prefix = `${REFERRERS_DIRECTORY}/${manifestDigest}`;
  return repository.streams.references(prefix).map(({ name }) => name.slice(prefix.length + 1));
}

function manifestDigestOf(entry: string): string {
  return entry.startsWith(MANIFEST_STREAM_PREFIX) ? entry.slice(MANIFEST_STREAM_PREFIX.length) : entry;
}

async function requireImage(repository: Repository, manifestDigest: string, name: string): Promise<StoredImage> {
  const image = isDigest(manifestDigest) ? await readStoredImage(repository, manifestDigest) : undefined;
  if (image !== undefined) return image;
  throw new SealrootError("not-found", `Cannot find image "${name}": there is no manifest ${manifestDigest}`, {
    path: repository.path,
  });
}
