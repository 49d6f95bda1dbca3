/** A containers store on disk: its lists under their locks, and the files they name. Nothing is ever written to it. */
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, corrupt, hasErrno, SealrootError } from "../../errors/index.ts";
import { readBoundedFile, waitForRecordLock } from "../../platform/index.ts";
import {
  bigDataFileName,
  readStoreImages,
  readStoreLayers,
  STORE_LIST_MAX_BYTES,
  type StoreImage,
  type StoreLayer,
} from "./store-documents.ts";

/** podman holds a lock while it unpacks a layer; longer than this means trouble. */
const LOCK_TIMEOUT_MS = 10 * 60_000;

/** Lists and the directories they describe, each with a lock. */
type StorePart = "images" | "layers";

/** One directory with images and layers of the overlay driver. */
export class Store {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** @throws SealrootError `not-found` without a store, `unsupported` for one with another driver */
  static open(root: string): Store {
    if (existsSync(join(root, "overlay-images"))) return new Store(root);
    const other = ["vfs", "btrfs", "zfs"].find((driver) => existsSync(join(root, `${driver}-images`)));
    if (other === undefined) {
      throw new SealrootError("not-found", `Cannot open container storage ${root}: there is no store`, { path: root });
    }
    throw new SealrootError("unsupported", `Cannot open container storage ${root}: its driver is ${other}`, {
      path: root,
      hint: "copy the image out first: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG",
    });
  }

  images(): Promise<StoreImage[]> {
    return this.locked("images", async () => readStoreImages(...(await this.#readList("images"))));
  }

  layers(): Promise<StoreLayer[]> {
    return this.locked("layers", async () => readStoreLayers(...(await this.#readList("layers"))));
  }

  /**
   * A document kept beside an image or a layer; undefined if there is none.
   * @throws SealrootError `unsupported` when it is larger than `maxBytes`
   */
  async bigData(part: StorePart, id: string, key: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const path = join(this.root, `overlay-${part}`, id, bigDataFileName(key));
    try {
      return await readBoundedFile(path, maxBytes);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw asSealrootError(error, `Cannot read container storage ${this.root}`, { path });
    }
  }

  /** The layer's tar without its bodies, compressed with gzip. */
  tarSplitPath(layerId: string): string {
    return join(this.root, "overlay-layers", `${layerId}.tar-split.gz`);
  }

  /** The directory of the layer's files. */
  diffPath(layerId: string): string {
    return join(this.root, "overlay", layerId, "diff");
  }

  /**
   * Does something while nobody changes images or layers. Nobody changes a store without lock files, as on a read-only
   * medium.
   *
   * @throws SealrootError `timeout`
   */
  async locked<T>(part: StorePart, work: () => Promise<T>): Promise<T> {
    const unlock = await this.lock(part);
    try {
      return await work();
    } finally {
      unlock();
    }
  }

  /** As {@link locked}, until the returned function is called. */
  async lock(part: StorePart): Promise<() => void> {
    const path = join(this.root, `overlay-${part}`, `${part}.lock`);
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return () => {};
      throw asSealrootError(error, `Cannot lock container storage ${this.root}`, { path });
    }
    try {
      if (await waitForRecordLock(fd, "shared", LOCK_TIMEOUT_MS)) return () => closeSync(fd);
    } catch (error) {
      closeSync(fd);
      throw asSealrootError(error, `Cannot lock container storage ${this.root}`, { path });
    }
    closeSync(fd);
    throw new SealrootError("timeout", `Cannot lock container storage ${this.root}: another program holds ${path}`, {
      path,
    });
  }

  async #readList(part: StorePart): Promise<[Uint8Array, string]> {
    const path = join(this.root, `overlay-${part}`, `${part}.json`);
    try {
      return [await readBoundedFile(path, STORE_LIST_MAX_BYTES), path];
    } catch (error) {
      // A store that never had any.
      if (hasErrno(error, "ENOENT")) return [Buffer.from("[]"), path];
      throw asSealrootError(error, `Cannot read container storage ${this.root}`, { path });
    }
  }
}

/**
 * The layers from the lowest to `top`, and the stores they are in.
 *
 * @param stores searched in order: a store may build on another's layers
 * @throws SealrootError `corrupt` for a layer that is missing, incomplete, or its own ancestor
 */
export async function layerChain(stores: readonly Store[], top: string | undefined): Promise<FoundLayer[]> {
  const found = new Map<string, FoundLayer>();
  for (const store of stores) {
    for (const layer of await store.layers()) {
      if (!found.has(layer.id)) found.set(layer.id, { store, layer });
    }
  }
  const chain: FoundLayer[] = [];
  const refuse = (id: string, reason: string) =>
    corrupt(`Cannot read container storage: layer ${id} ${reason}`, { hint: "pull the image again with podman" });
  for (let id = top; id !== undefined; ) {
    const next = found.get(id);
    if (next === undefined) throw refuse(id, "is missing");
    // Writing it was begun but not finished (section 5, flags).
    if (next.layer.flags?.incomplete === true) throw refuse(id, "is incomplete");
    if (chain.length >= found.size) throw refuse(id, "is its own ancestor");
    chain.push(next);
    id = next.layer.parent;
  }
  return chain.reverse();
}

export interface FoundLayer {
  readonly store: Store;
  readonly layer: StoreLayer;
}
