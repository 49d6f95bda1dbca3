/**
 * Images in a tar file as written by `docker save` and `podman save` (`docker-archive:`), read in place. It has no OCI
 * manifest: one is made, always the same for the same archive (moby, image/spec/spec.md, "Combined Image JSON").
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { SealrootError } from "../../errors/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import {
  type BlobName,
  type BlobReader,
  checkedBlob,
  compressionOf,
  type Descriptor,
  describeDocument,
  digestOf,
  documentBytes,
  formatReference,
  fullImageName,
  type ImageManifest,
  isDigest,
  LAYER_MEDIA_TYPE,
  MEDIA_TYPE,
  type PathReference,
  REF_NAME_ANNOTATION,
  readConfig,
  readJson,
  TarFile,
  type TarFileMember,
  wholeBlob,
} from "../../oci/index.ts";

const archiveSchema = v.optional(
  v.array(
    v.looseObject({ Config: v.string(), RepoTags: v.optional(v.array(v.string())), Layers: v.array(v.string()) }),
  ),
  [],
);

type ArchivedImage = v.InferOutput<typeof archiveSchema>[number];

/** `@N`: the image at that place of manifest.json (containers-transports(5), "docker-archive"). */
const SOURCE_INDEX = /^@(\d{1,6})$/;

/**
 * Opens the images that the reference can mean. An uncompressed layer is identified by its diff id; the digest of
 * others is computed by reading them once.
 *
 * @throws SealrootError `not-found` when no image has the name, listing those there are; `corrupt`
 */
export async function openDockerArchiveSource(reference: PathReference): Promise<ImageSource> {
  const file = await TarFile.open(reference.path, "Docker archive");
  try {
    const blobs = new ArchivedBlobs(file);
    const manifests = new Map<string, Uint8Array>();
    const entries: Descriptor[] = [];
    const images = await readImages(file);
    for (const image of wantedImages(images, reference)) {
      const manifest = documentBytes(await makeManifest(image, blobs));
      const descriptor = describeDocument(MEDIA_TYPE.manifest, manifest);
      manifests.set(descriptor.digest, manifest);
      const names = image.RepoTags ?? [];
      for (const name of names) entries.push({ ...descriptor, annotations: { [REF_NAME_ANNOTATION]: name } });
      if (names.length === 0) entries.push(descriptor);
    }
    return {
      place: { transport: "docker-archive" },
      names: waysToName(images),
      index: { schemaVersion: 2, manifests: entries },
      blobs,
      remote: false,
      readManifest: async ({ digest }) => manifests.get(digest) ?? Promise.reject(noBlob(file.path, digest)),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readImages(file: TarFile): Promise<readonly ArchivedImage[]> {
  const path = `${file.path}/manifest.json`;
  return readJson(archiveSchema, await file.readDocument("manifest.json"), "Docker archive", path);
}

function wantedImages(images: readonly ArchivedImage[], reference: PathReference): readonly ArchivedImage[] {
  const { tag } = reference;
  const place = SOURCE_INDEX.exec(tag ?? "")?.[1];
  const isWanted = ({ RepoTags }: ArchivedImage) =>
    tag === undefined || RepoTags?.some((name) => fullImageName(name) === fullImageName(tag)) === true;
  const wanted = place === undefined ? images.filter(isWanted) : images.slice(Number(place), Number(place) + 1);
  if (wanted.length > 0) return wanted;
  const problem = tag === undefined ? "it is empty" : `it has no image "${tag}"`;
  throw new SealrootError("not-found", `Cannot open image ${formatReference(reference)}: ${problem}`, {
    path: reference.path,
    hint: `the names there are: ${waysToName(images).join(", ") || "(none)"}`,
  });
}

/** What to write after the path of the archive for each of its images: its names, or its place. */
function waysToName(images: readonly ArchivedImage[]): string[] {
  const all = images.flatMap(({ RepoTags }) => RepoTags ?? []);
  return images.flatMap(({ RepoTags = [] }, place) => {
    const own = RepoTags.filter((name) => all.indexOf(name) === all.lastIndexOf(name));
    return own.length > 0 ? own : [`@${place}`];
  });
}

async function makeManifest(image: ArchivedImage, blobs: ArchivedBlobs): Promise<ImageManifest> {
  const config = await blobs.addDocument(image.Config);
  const diffIds = readConfig(config.bytes, image.Config).rootfs.diff_ids;
  const layers: Descriptor[] = [];
  for (const [index, name] of image.Layers.entries()) layers.push(await blobs.addLayer(name, diffIds[index]));
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, digest: config.digest, size: config.bytes.length },
    layers,
  };
}

/** Members of the archive under the digests of their bytes. */
class ArchivedBlobs implements BlobReader {
  readonly #file: TarFile;
  readonly #members = new Map<string, TarFileMember>();
  /** The computed ones: images may share a layer, or list one any number of times. */
  readonly #digests = new Map<TarFileMember, string>();

  constructor(file: TarFile) {
    this.#file = file;
  }

  async addDocument(name: string): Promise<{ readonly digest: string; readonly bytes: Uint8Array }> {
    const bytes = await this.#file.readDocument(name);
    const digest = digestOf(bytes);
    this.#members.set(digest, this.#member(name));
    return { digest, bytes };
  }

  async addLayer(name: string, diffId: string | undefined): Promise<Descriptor> {
    const member = this.#member(name);
    const compression = await this.#compressionOf(member);
    const known = compression === "none" ? diffId : digestInName(member.name);
    const digest = known ?? (await this.#digestOf(member));
    this.#members.set(digest, member);
    return { mediaType: LAYER_MEDIA_TYPE[compression], digest, size: member.sizeBytes };
  }

  async *read(blob: BlobName): AsyncGenerator<Uint8Array> {
    const member = this.#members.get(blob.digest);
    if (member === undefined) throw noBlob(this.#file.path, blob.digest);
    yield* checkedBlob(this.#file.read(member), blob, member.sizeBytes, `${this.#file.path}/${member.name}`);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }

  #member(name: string): TarFileMember {
    const member = this.#file.find(name);
    if (member !== undefined) return member;
    const what = `Cannot open Docker archive ${this.#file.path}: manifest.json names ${name}, which is not there`;
    throw new SealrootError("corrupt", what, { path: this.#file.path });
  }

  async #compressionOf(member: TarFileMember) {
    for await (const part of this.#file.read({ ...member, sizeBytes: Math.min(member.sizeBytes, 4) })) {
      return compressionOf(part);
    }
    return "none";
  }

  async #digestOf(member: TarFileMember): Promise<string> {
    const known = this.#digests.get(member);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    for await (const part of this.#file.read(member)) hash.update(part);
    const digest = `sha256:${hash.digest("hex")}`;
    this.#digests.set(member, digest);
    return digest;
  }
}

/** Since 25 Docker saves a layout, with manifest.json naming its blobs: what is read is checked against the name. */
function digestInName(name: string): string | undefined {
  const [blobs, algorithm, hex, ...more] = name.split("/");
  const digest = `${algorithm}:${hex}`;
  return blobs === "blobs" && more.length === 0 && isDigest(digest) ? digest : undefined;
}

function noBlob(path: string, digest: string): SealrootError {
  return new SealrootError("not-found", `Cannot read blob: ${path} has no ${digest}`, { path });
}
