/** A repository of a registry to write to (OCI distribution specification, "Push"; spec/chunked-and-policy.md 4.4). */
import { SealrootError } from "../../errors/index.ts";
import type { BlobName, Descriptor } from "../../oci/index.ts";
import { formatReference, type ImageReference, type RegistryReference } from "../../oci/index.ts";
import { openForWriting, type RegistryClient, type RegistryOptions } from "../../registry/index.ts";
import { uploadBlob } from "./blob-upload.ts";
import type { BlobContent, ImageDestination, StoredBlob } from "./destination.ts";
import { mountBlob } from "./mount-blob.ts";
import { putManifest } from "./put-manifest.ts";
import { BlobSpool } from "./spool.ts";
import { beginUpload, endUpload, hasBlob } from "./upload-session.ts";

export interface RegistryDestinationOptions {
  /** Where the blobs come from: a registry can adopt them from another repository of its own. */
  readonly mountFrom?: ImageReference | undefined;
  readonly registry?: RegistryOptions | undefined;
  /** Begin an upload at once and end it again, so that a missing permission shows before any work. */
  readonly checkRights?: boolean | undefined;
}

/** Writes into one repository; what is already there is not sent. */
export class RegistryDestination implements ImageDestination {
  /** As many as fill most network connections. */
  readonly parallelBlobs = 3;
  readonly #reference: RegistryReference;
  readonly #client: RegistryClient;
  readonly #mountFrom: string | undefined;
  readonly #spool = new BlobSpool();

  private constructor(reference: RegistryReference, client: RegistryClient, mountFrom: ImageReference | undefined) {
    this.#reference = reference;
    this.#client = client;
    const isNeighbour = mountFrom?.transport === "docker" && mountFrom.host === reference.host;
    this.#mountFrom = isNeighbour && mountFrom.repository !== reference.repository ? mountFrom.repository : undefined;
  }

  /** @throws SealrootError as openForWriting; with `checkRights` also what the registry answers to an upload */
  static async open(
    reference: RegistryReference,
    options: RegistryDestinationOptions = {},
  ): Promise<RegistryDestination> {
    const client = await openForWriting(reference, options.registry);
    if (options.checkRights === true) await checkRights(client);
    return new RegistryDestination(reference, client, options.mountFrom);
  }

  async hasBlob(blob: BlobName): Promise<boolean> {
    if (await hasBlob(this.#client, blob.digest)) return true;
    return this.#mountFrom !== undefined && mountBlob(this.#client, blob, this.#mountFrom);
  }

  /** A blob without a name yet is written to a temporary file first, so that it need not be sent if it is there. */
  async putBlob(content: BlobContent): Promise<StoredBlob> {
    const named = content.name === undefined ? await this.#spool.take(content) : undefined;
    const { name } = named?.content ?? content;
    if (name === undefined) throw new Error("unreachable: a spooled blob has a name");
    try {
      const isThere = named !== undefined && (await this.hasBlob(name));
      if (!isThere) await uploadBlob(this.#client, name, named?.content ?? content);
      return { digest: name.digest, size: name.size, sentBytes: isThere ? 0 : name.size };
    } finally {
      named?.remove();
    }
  }

  async putManifest(descriptor: Descriptor, bytes: Uint8Array, role: "named" | "part"): Promise<void> {
    if (role === "named") this.#refuseOtherDigest(descriptor);
    const name = role === "named" ? (this.#reference.tag ?? descriptor.digest) : descriptor.digest;
    await putManifest(this.#client, name, descriptor, bytes);
  }

  async finish(): Promise<void> {
    this.#spool.remove();
    await this.#client.close();
  }

  /** Blobs that are there stay: another push may rely on them by now, and the registry collects what nobody names. */
  async abort(): Promise<void> {
    this.#spool.remove();
    await this.#client.close().catch(() => {});
  }

  #refuseOtherDigest(descriptor: Descriptor): void {
    const { digest } = this.#reference;
    if (digest === undefined || digest === descriptor.digest) return;
    const text = formatReference(this.#reference);
    throw new SealrootError("conflict", `Cannot write image ${text}: the image has another digest`, {
      path: text,
      expected: digest,
      actual: descriptor.digest,
      hint: "write to a tag",
    });
  }
}

async function checkRights(client: RegistryClient): Promise<void> {
  try {
    await endUpload(client, await beginUpload(client, `Cannot write to ${client.name}`));
  } catch (error) {
    await client.close();
    throw error;
  }
}
