/** How an image was made, according to its configuration (OCI image specification, config.md, "history"). */
import { SealrootError } from "../errors/index.ts";
import type { StoredImage } from "./stored-image.ts";

/** One step of the image's making; absent parts are undefined. */
export interface HistoryEntry {
  /** RFC 3339. */
  readonly created: string | undefined;
  /** The command. */
  readonly createdBy: string | undefined;
  readonly comment: string | undefined;
  /** The layer the step made: undefined if it made none, or if the configuration does not say. */
  readonly layer: { readonly diffId: string; readonly blobBytes: number } | undefined;
}

/**
 * The steps from the first to the last. An image without a history has one step per layer; if the number of steps with
 * a layer differs from the number of layers, no step gets one.
 *
 * @throws SealrootError `unsupported` for an artifact
 */
export function imageHistory(image: Pick<StoredImage, "config" | "manifest" | "manifestDigest">): HistoryEntry[] {
  const { config, manifest, manifestDigest } = image;
  if (config === undefined) {
    const what = `Cannot show the history of ${manifestDigest}: it is an artifact, not an image`;
    throw new SealrootError("unsupported", what);
  }
  const layers = config.rootfs.diff_ids.map((diffId, index) => ({
    diffId,
    blobBytes: manifest.layers[index]?.size ?? 0,
  }));
  const history = config.history ?? layers.map(() => ({}) as NonNullable<typeof config.history>[number]);
  const fits = history.filter(({ empty_layer }) => empty_layer !== true).length === layers.length;
  const next = layers.values();
  return history.map(({ created, created_by, comment, empty_layer }) => ({
    created,
    createdBy: created_by,
    comment,
    layer: fits && empty_layer !== true ? next.next().value : undefined,
  }));
}
