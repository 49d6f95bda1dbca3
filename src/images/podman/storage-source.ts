/** Images in podman's store (`containers-storage:`, overlay driver), read-only (spec/chunked-and-policy.md 5). */
import { existsSync } from "node:fs";
import { corrupt, SealrootError } from "../../errors/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import {
  type BlobName,
  type BlobReader,
  checkedBlob,
  DOCUMENT_MAX_BYTES,
  describeDocument,
  digestOf,
  formatReference,
  type HostPaths,
  hostPaths,
  manifestMediaType,
  resolvedPath,
  type StorageReference,
  type UnpackedLayer,
  type UnpackedLayers,
  unpackedTar,
  wholeBlob,
} from "../../oci/index.ts";
import { type FoundImage, findStoreImage } from "./find-image.ts";
import { layerParts } from "./layer-parts.ts";
import { type FoundLayer, layerChain, Store } from "./store.ts";
import { DRIVER, type StoreRoots, storeRoots } from "./store-roots.ts";

/** The manifest under which the image runs; an index it was chosen from has its digest after the name. */
const MANIFEST_KEY = "manifest";

/**
 * Opens the image. Its manifest is the one in the store, as pulled, though the blobs it names are gone:
 * the layers are found by the diff ids of the configuration.
 *
 * @throws SealrootError `not-found`, `unsupported` for another driver, `corrupt` for a store with missing or incomplete
 *   layers, `no-access`
 */
export async function openStorageSource(
  reference: StorageReference,
  paths: HostPaths = hostPaths(),
): Promise<ImageSource> {
  const roots = await storeRoots(reference.store, paths);
  const stores = openStores(roots);
  const found = await findStoreImage(stores, reference);
  const places = await Promise.all([found.store.root, roots.main].map(resolvedPath));
  const chain = await layerChain(stores, found.image.layer);
  const manifestBytes = await readManifestBytes(found);
  const layers = new StoredLayers(found.image.id, chain);
  const manifest = describeDocument(manifestMediaType(manifestBytes, formatReference(reference)), manifestBytes);
  return {
    place: {
      ...{ transport: "containers-storage", driver: DRIVER, roots: [...new Set(places)] },
      ...{ id: found.image.id, names: found.names },
    },
    index: { schemaVersion: 2, manifests: [manifest] },
    blobs: new StoredBlobs(found, layers),
    unpacked: layers,
    remote: false,
    readManifest: async ({ digest }) => {
      if (digest === manifest.digest) return manifestBytes;
      const what = `Cannot open image ${formatReference(reference)}: the store has no manifest ${digest} for it`;
      throw new SealrootError("not-found", what, { path: found.store.root });
    },
    close: async () => {},
  };
}

/** In the order in which they are searched. If there are several, some may still be empty. */
function openStores({ main, imageStore, additional }: StoreRoots): Store[] {
  // As in the reference: a misspelt or unmounted directory must not look like one without the image.
  const absent = additional.find((root) => !existsSync(root));
  if (absent !== undefined) {
    const what = `Cannot open container storage: the additional store ${absent} does not exist`;
    throw new SealrootError("not-found", what, { path: absent });
  }
  const own = imageStore === undefined ? [main] : [imageStore, main];
  const roots = [...own, ...additional];
  const stores = roots.flatMap((root) => {
    try {
      return [Store.open(root)];
    } catch (error) {
      if (error instanceof SealrootError && error.code === "not-found") return [];
      throw error;
    }
  });
  return stores.length > 0 ? stores : [Store.open(main)];
}

async function readManifestBytes({ store, image }: FoundImage): Promise<Uint8Array> {
  const bytes = await store.bigData("images", image.id, MANIFEST_KEY, DOCUMENT_MAX_BYTES);
  if (bytes === undefined) throw corrupt(`Cannot open image ${image.id}: the store has no manifest of it`);
  const expected = image["big-data-digests"]?.[MANIFEST_KEY];
  const actual = digestOf(bytes);
  if (expected === undefined || expected === actual) return bytes;
  throw new SealrootError("corrupt", `Cannot open image ${image.id}: its manifest is ${actual}, expected ${expected}`, {
    expected,
    actual,
  });
}

class StoredLayers implements UnpackedLayers {
  readonly #imageId: string;
  /** Lowest first. */
  readonly #chain: readonly FoundLayer[];

  constructor(imageId: string, chain: readonly FoundLayer[]) {
    this.#imageId = imageId;
    this.#chain = chain;
  }

  /** True if there is a layer with that diff id. */
  has(diffId: string): boolean {
    return this.#chain.some(({ layer }) => layer["diff-digest"] === diffId);
  }

  find(diffId: string): UnpackedLayer {
    const index = this.#chain.findIndex(({ layer }) => layer["diff-digest"] === diffId);
    const found = this.#chain[index];
    if (found === undefined) {
      const stored = this.#chain.map(({ layer }) => layer["diff-digest"] ?? "(unknown)").join(", ") || "(none)";
      const what = `Cannot open image ${this.#imageId}: the store has no layer of it with the diff id ${diffId}`;
      throw new SealrootError("corrupt", what, { expected: diffId, actual: stored });
    }
    const below = this.#chain.slice(0, index).reverse();
    return { sizeBytes: found.layer["diff-size"], parts: () => layerParts([found, ...below]) };
  }
}

/** The documents of an image, and those of its layers that never were compressed. */
class StoredBlobs implements BlobReader {
  readonly #found: FoundImage;
  readonly #layers: StoredLayers;

  constructor(found: FoundImage, layers: StoredLayers) {
    this.#found = found;
    this.#layers = layers;
  }

  async *read(blob: BlobName): AsyncGenerator<Uint8Array> {
    const { store, image } = this.#found;
    if (image["big-data-names"]?.includes(blob.digest)) {
      const bytes = await store.bigData("images", image.id, blob.digest, DOCUMENT_MAX_BYTES);
      if (bytes === undefined) throw corrupt(`Cannot read blob: the store has no ${blob.digest}`, { path: store.root });
      yield* checkedBlob([bytes], blob, bytes.length, blob.digest);
      return;
    }
    if (!this.#layers.has(blob.digest)) {
      const what = `Cannot read blob ${blob.digest}: the store keeps layers unpacked, and their blobs are gone`;
      throw new SealrootError("unsupported", what, {
        path: store.root,
        hint: "copy the image out first: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG",
      });
    }
    yield* checkedBlob(unpackedTar(this.#layers.find(blob.digest)), blob, blob.size, blob.digest);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }
}
