/** An OCI image layout directory (OCI image specification, image-layout.md). */
import { mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { isTemporaryName, readBoundedFile, replaceFile } from "../../platform/index.ts";
import type { BlobInfo } from "../blobs.ts";
import {
  type Descriptor,
  DOCUMENT_MAX_BYTES,
  documentBytes,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  type Platform,
  readIndex,
} from "../documents.ts";
import { MEDIA_TYPE } from "../media-types.ts";
import { BlobStore } from "./blob-store.ts";
import { lockIndex } from "./layout-lock.ts";
import { entryNamed, REF_NAME_ANNOTATION } from "./ref-name.ts";

const LAYOUT_FILE = "oci-layout";
const LAYOUT_FILE_MAX_BYTES = 64 << 10;
const INDEX_FILE = "index.json";
const EMPTY_INDEX: ImageIndex = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] };
const LAYOUT_CONTENT = { imageLayoutVersion: "1.0.0" };

/** A layout on disk: its blobs, and the index.json that names its images. */
export class OciLayout {
  readonly directory: string;
  readonly blobs: BlobStore;

  private constructor(directory: string) {
    this.directory = directory;
    this.blobs = new BlobStore(directory);
  }

  /**
   * Opens an existing layout.
   * @throws SealrootError `not-found` when there is none, `unsupported` for another layout version
   */
  static async open(directory: string): Promise<OciLayout> {
    const path = join(directory, LAYOUT_FILE);
    let content: { imageLayoutVersion?: unknown } | null;
    try {
      content = JSON.parse((await readBoundedFile(path, LAYOUT_FILE_MAX_BYTES)).toString("utf8"));
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) {
        throw new SealrootError("not-found", `Cannot open OCI layout: ${directory} has no file ${LAYOUT_FILE}`, {
          path: directory,
          hint: "give the directory that skopeo, podman or buildah wrote with oci:DIRECTORY",
        });
      }
      throw asSealrootError(error, "Cannot open OCI layout", { path });
    }
    const version = content?.imageLayoutVersion;
    if (version !== LAYOUT_CONTENT.imageLayoutVersion) {
      throw new SealrootError(
        "unsupported",
        `Cannot open OCI layout: version ${JSON.stringify(version)} is not 1.0.0`,
        {
          path,
        },
      );
    }
    return new OciLayout(directory);
  }

  /**
   * Opens the layout in `directory`, making it if the directory is missing or empty, or left by a process killed while
   * making it.
   * @throws SealrootError `exists` when the directory holds something else
   */
  static async create(directory: string): Promise<OciLayout> {
    for (;;) {
      await mkdir(directory, { recursive: true }).catch((error: unknown) => {
        throw asSealrootError(error, "Cannot create OCI layout", { path: directory });
      });
      using lock = await lockIndex(directory);
      // The process that began it removed it again.
      if (lock !== undefined) return await OciLayout.#createLocked(directory);
    }
  }

  static async #createLocked(directory: string): Promise<OciLayout> {
    const names = await readdir(directory);
    if (names.includes(LAYOUT_FILE)) return OciLayout.open(directory);
    if (names.length > 0 && !(await isHalfMade(directory, names))) {
      throw new SealrootError("exists", `Cannot create OCI layout: ${directory} is not empty and not a layout`, {
        path: directory,
        hint: "name a new directory, or an existing OCI layout to add to",
      });
    }
    const layout = new OciLayout(directory);
    await mkdir(join(directory, "blobs", "sha256"), { recursive: true });
    await layout.#writeFile(INDEX_FILE, EMPTY_INDEX);
    // Last, because its presence means that the rest is there.
    await layout.#writeFile(LAYOUT_FILE, LAYOUT_CONTENT);
    return layout;
  }

  async readIndex(): Promise<ImageIndex> {
    const path = join(this.directory, INDEX_FILE);
    const bytes = await readBoundedFile(path, DOCUMENT_MAX_BYTES).catch((error: unknown) => {
      throw asSealrootError(error, "Cannot read image index", { path });
    });
    return readIndex(bytes, path);
  }

  /** Stores a configuration and describes it. */
  async putConfig(config: ImageConfig): Promise<Descriptor> {
    return describe(MEDIA_TYPE.config, await this.blobs.put(documentBytes(config)));
  }

  /**
   * Stores a manifest and enters it in index.json, which is replaced in one step.
   * @param options.tag the name the image gets here; another image with that name loses it
   * @throws SealrootError `not-found` when the configuration or a layer is not in the layout yet
   */
  async putManifest(
    manifest: ImageManifest,
    options: { readonly tag?: string; readonly platform?: Platform } = {},
  ): Promise<Descriptor> {
    for (const part of [manifest.config, ...manifest.layers]) await this.#requireBlob(part);
    const stored = describe(MEDIA_TYPE.manifest, await this.blobs.put(documentBytes(manifest)));
    const descriptor: Descriptor = options.platform === undefined ? stored : { ...stored, platform: options.platform };
    await this.enter(descriptor, options.tag);
    return descriptor;
  }

  /** Adopts one image from another layout: blobs, unchanged manifest, entry in index.json. */
  async copyImage(other: OciLayout, descriptor: Descriptor, manifest: ImageManifest, tag?: string): Promise<void> {
    for (const part of [manifest.config, ...manifest.layers, descriptor]) {
      await this.blobs.copyFrom(other.blobs, part);
    }
    await this.enter(descriptor, tag);
  }

  async #requireBlob(blob: Descriptor): Promise<void> {
    const path = this.blobs.pathOf(blob.digest);
    const file = await open(path).catch((error: unknown) => {
      throw asSealrootError(error, `Cannot store manifest: blob ${blob.digest} is not in the layout`, { path });
    });
    await file.close();
  }

  /** Enters a manifest or index, whose blob is there, in index.json, which is replaced in one step, durably. */
  async enter(descriptor: Descriptor, tag: string | undefined): Promise<void> {
    await this.#changeIndex(async (index) => withEntry(index, descriptor, tag));
  }

  /**
   * Adds to the list of what refers to a manifest, which is kept under a tag (OCI distribution specification,
   * "Referrers Tag Schema"). What is in the list stays.
   */
  async enterReferrers(tag: string, referrers: readonly Descriptor[]): Promise<void> {
    await this.#changeIndex(async (index) => {
      const entry = index.manifests.find(({ annotations }) => annotations?.[REF_NAME_ANNOTATION] === tag);
      const isList = entry?.mediaType === MEDIA_TYPE.index;
      const before = isList ? readIndex(await this.blobs.readWhole(entry), tag) : EMPTY_INDEX;
      const digests = new Set(before.manifests.map(({ digest }) => digest));
      const manifests = [...before.manifests, ...referrers.filter(({ digest }) => !digests.has(digest))];
      const list = describe(MEDIA_TYPE.index, await this.blobs.put(documentBytes({ ...before, manifests })));
      return withEntry(index, list, tag);
    });
  }

  /** Reads, changes and replaces the index while no other writer does. */
  async #changeIndex(change: (index: ImageIndex) => Promise<ImageIndex>): Promise<void> {
    using lock = await lockIndex(this.directory);
    if (lock === undefined) {
      const what = `Cannot write to OCI layout ${this.directory}: it was removed in the meantime`;
      throw new SealrootError("not-found", what, { path: this.directory });
    }
    const index = await change(await this.readIndex());
    this.blobs.sync();
    await this.#writeFile(INDEX_FILE, index);
  }

  async #writeFile(name: string, content: object): Promise<void> {
    const path = join(this.directory, name);
    try {
      replaceFile({ path, existing: undefined }, documentBytes(content), `Cannot write ${name}`);
    } catch (error) {
      throw asSealrootError(error, `Cannot write ${name}`, { path: this.directory });
    }
  }
}

/** True for a layout before its last file: no blob yet, and nothing that does not belong to a layout. */
async function isHalfMade(directory: string, names: readonly string[]): Promise<boolean> {
  const isOwn = (name: string) => name === "blobs" || name === INDEX_FILE || isTemporaryName(name);
  if (!names.includes("blobs") || !names.every(isOwn)) return false;
  // What cannot be listed is not a directory that a writer began.
  const inside = await readdir(join(directory, "blobs"), { recursive: true }).catch(() => undefined);
  return inside?.every((name) => name === "sha256") ?? false;
}

/** The index with the entry; it replaces one with its name, and the same one without a name. */
function withEntry(index: ImageIndex, descriptor: Descriptor, tag: string | undefined): ImageIndex {
  const kept = index.manifests.filter((entry) => {
    const name = entry.annotations?.[REF_NAME_ANNOTATION];
    return name === undefined ? entry.digest !== descriptor.digest : name !== tag;
  });
  return { ...index, manifests: [...kept, entryNamed(descriptor, tag)] };
}

function describe(mediaType: string, blob: BlobInfo): Descriptor {
  return { mediaType, digest: blob.digest, size: blob.size };
}
