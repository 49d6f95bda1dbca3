/** An OCI layout directory to write to. */
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { syncDirectory } from "../../platform/index.ts";
import type { BlobName } from "../blobs.ts";
import type { Descriptor } from "../documents.ts";
import type { BlobStore } from "../layout/blob-store.ts";
import { OciLayout } from "../layout/layout.ts";
import type { PathReference } from "../reference.ts";
import type { BlobContent, ImageDestination, StoredBlob } from "./destination.ts";

/** Compressing two layers at a time keeps disk and processor busy; more only costs memory. */
const PARALLEL_BLOBS = 2;

/** What the directory was before. */
type Before = "absent" | "empty" | "layout";

/** Writes into a layout, new or with other images in it. */
export class LayoutDestination implements ImageDestination {
  readonly parallelBlobs = PARALLEL_BLOBS;
  readonly #layout: OciLayout;
  readonly #tag: string | undefined;
  readonly #before: Before;

  private constructor(layout: OciLayout, tag: string | undefined, before: Before) {
    this.#layout = layout;
    this.#tag = tag;
    this.#before = before;
  }

  /** @throws SealrootError `exists` when the directory holds something else than a layout */
  static async open(reference: PathReference): Promise<LayoutDestination> {
    const before = await stateOf(reference.path);
    return new LayoutDestination(await OciLayout.create(reference.path), reference.tag, before);
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
    await this.#layout.blobs.copyFrom(store, name);
    return { digest: name.digest, size: name.size, sentBytes: name.size };
  }

  async putManifest(descriptor: Descriptor, bytes: Uint8Array, role: "named" | "part"): Promise<void> {
    await this.#layout.blobs.put(bytes, descriptor);
    if (role === "named") await this.#layout.enter(descriptor, this.#tag);
  }

  /** The layout is as it should be since the last manifest; what is left is its own name. */
  async finish(): Promise<void> {
    if (this.#before === "absent") syncDirectory(dirname(resolve(this.#layout.directory)));
  }

  /** Blobs that are whole stay in a layout that was there before: another writer may count on them by now. */
  async abort(): Promise<void> {
    const { directory } = this.#layout;
    if (this.#before === "layout") return;
    const paths =
      this.#before === "absent"
        ? [directory]
        : ["blobs", "index.json", "oci-layout"].map((name) => join(directory, name));
    for (const path of paths) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

async function stateOf(directory: string): Promise<Before> {
  if (!existsSync(directory)) return "absent";
  const names = await readdir(directory).catch(() => ["not a directory"]);
  return names.length === 0 ? "empty" : "layout";
}
