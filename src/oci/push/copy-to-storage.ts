/** An image of a repository for podman: written as a layout, taken over by the field's own tools. */
import { join } from "node:path";
import { type EventSink, runStep } from "../../events/index.ts";
import { findTool, requireTool, runTool, temporaryDirectory } from "../../platform/index.ts";
import type { Repository } from "../../repository/index.ts";
import { findImage } from "../images.ts";
import type { PathReference } from "../reference.ts";
import { pushImage } from "./push-image.ts";
import { largeFileParent } from "./spool.ts";

/** What bootc calls it there (spec/host-lifecycle.md 10). */
export const DEFAULT_STORAGE_NAME = "localhost/bootc";

export interface CopyToStorageOptions {
  /** The name in the store; with a store of one's own in front, as in references: `[DRIVER@ROOT+RUN]NAME`. */
  readonly target: string;
  /** Where the layout is written in the meantime; the system's place for large files when absent. */
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
 * skopeo does it, or podman where there is no skopeo. Layers are handed over uncompressed, as the store keeps them; the
 * signature policy is not asked, as nothing comes from outside.
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
  const tool = chooseTool(target);
  const image = await findImage(repository, name);
  const { temporaryParent } = options;
  const parent = temporaryParent === undefined ? largeFileParent() : { parent: temporaryParent };
  using scratch = temporaryDirectory({ ...parent, prefix: "sealroot-storage-" });
  const archive = join(scratch.path, "image.tar");
  // podman takes the name from the archive, where it must be complete.
  const tag = tool === "podman" ? fullName(target) : undefined;
  const reference: PathReference = { transport: "oci-archive", path: archive, tag };
  await pushImage(repository, name, reference, { packing: "none", events });
  const args =
    tool === "podman"
      ? ["load", "--quiet", "--input", archive]
      : ["copy", "--quiet", "--insecure-policy", `oci-archive:${archive}`, `containers-storage:${target}`];
  await runStep(events, `hand the image to ${tool}`, () => runTool(tool, args));
  return { reference: `containers-storage:${target}`, configDigest: image.manifest.config.digest };
}

/** Only skopeo takes the store's place from the reference. */
function chooseTool(target: string): "skopeo" | "podman" {
  const canUsePodman = !target.startsWith("[") && findTool("podman") !== undefined;
  if (findTool("skopeo") !== undefined || !canUsePodman) {
    requireTool("skopeo");
    return "skopeo";
  }
  return "podman";
}

/** With the tag that a name without one means. */
function fullName(name: string): string {
  return name.lastIndexOf(":") > name.lastIndexOf("/") ? name : `${name}:latest`;
}
