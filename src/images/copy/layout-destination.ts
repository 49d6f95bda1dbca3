/** An OCI layout directory to write to. */
import { dirname, resolve } from "node:path";
import type { BlobName, BlobStore, Descriptor, PathReference } from "../../oci/index.ts";
import { type BegunLayout, beginLayout, OciLayout } from "../../oci/index.ts";
import { syncDirectory } from "../../platform/index.ts";
import type { BlobContent, ImageDestination, StoredBlob } from "./destination.ts";

/** Compressing two layers at a time keeps disk and processor busy; more only costs memory. */
const PARALLEL_BLOBS = 2;

/** Writes into a layout, new or with other images in it. */
export class LayoutDestination implements ImageDestination {
  readonly parallelBlobs = PARALLEL_BLOBS;
  readonly #layout: OciLayout;
  readonly #tag: string | undefined;
  readonly #begun: BegunLayout;

  private constructor(layout: OciLayout, tag: string | undefined, begun: BegunLayout) {
    this.#layout = layout;
    this.#tag = tag;
    this.#begun = begun;
  }

  /** @throws SealrootError `exists` when the directory holds anything but a layout */
  static async open(reference: PathReference): Promise<LayoutDestination> {
    const begun = beginLayout(reference.path);
    try {
      const layout = await OciLayout.create(reference.path);
      begun.join();
      return new LayoutDestination(layout, reference.tag, begun);
    } catch (error) {
      begun.takeBack();
      throw error;
    }
  }

  get blobs(): BlobStore {
    return this.#layout.blobs;
  }

  hasBlob(blob: BlobName): Promise<boolean> {
    return this.#layout.blobs.has(blob);
  }

  async putBlob(content: BlobContent): Promise<StoredBlob> {
    const { name, store } = content;
    if (name === undefined || store === undefined) {
      const info = await this.#layout.blobs.put(content.open(), name);
      return { ...info, sentBytes: info.size };
    }
    await this.#layout.blobs.copyFrom(store, name, content.open());
    return { digest: name.digest, size: name.size, sentBytes: name.size };
  }

  async putManifest(descriptor: Descriptor, bytes: Uint8Array, role: "named" | "part"): Promise<void> {
    await this.#layout.blobs.put(bytes, descriptor);
    if (role === "named") await this.#layout.enter(descriptor, this.#tag);
  }

  /** The layout is complete since the last manifest; only its own name remains. */
  async finish(): Promise<void> {
    this.#begun.keep();
    if (this.#begun.wasAbsent) syncDirectory(dirname(resolve(this.#layout.directory)));
  }

  async abort(): Promise<void> {
    this.#begun.takeBack();
  }
}
