/** An image of a repository for podman: written as a layout, imported by skopeo. */
import { join } from "node:path";
import { type EventSink, runStep } from "../../events/index.ts";
import { formatReference, type PathReference } from "../../oci/index.ts";
import { largeFileDirectory, requireTool, runTool, temporaryDirectory } from "../../platform/index.ts";
import type { Repository } from "../../repository/index.ts";
import { findImage } from "../images.ts";
import { pushImage } from "./push-image.ts";

export interface CopyToStorageOptions {
  /** The name in the store, optionally preceded by a store, as in references: `[DRIVER@ROOT+RUN]NAME`. */
  readonly target: string;
  /** Where the layout is written temporarily; the system's place for large files if absent. */
  readonly temporaryParent?: string;
  readonly events: EventSink;
}

export interface CopiedToStorage {
  /** `containers-storage:` and the target. */
  readonly reference: string;
  /** The image's id in the store is the hex of this. */
  readonly configDigest: string;
}

/**
 * Puts an image into podman's store.
 *
 * skopeo does it. Layers are passed uncompressed, as the store keeps them; the signature policy is not asked, as
 * nothing comes from outside.
 *
 * @param name a tag, or `@` and the digest of a manifest
 * @throws SealrootError `missing-tool` naming the package, `failed` with what the tool said; else as pushImage
 */
export async function copyToStorage(
  repository: Repository,
  name: string,
  options: CopyToStorageOptions,
): Promise<CopiedToStorage> {
  const { target, events } = options;
  requireTool("skopeo");
  const image = await findImage(repository, name);
  const { temporaryParent } = options;
  using scratch = temporaryDirectory({ parent: temporaryParent ?? largeFileDirectory(), purpose: "storage" });
  const layout: PathReference = { transport: "oci", path: join(scratch.path, "image"), tag: undefined };
  await pushImage(repository, name, layout, { packing: "none", events });
  const reference = `containers-storage:${target}`;
  const args = ["--insecure-policy", "copy", "--quiet", formatReference(layout), reference];
  await runStep(events, "copy the image to podman's store", () => runTool("skopeo", args));
  return { reference, configDigest: image.manifest.config.digest };
}
