/** What storing a layer needs, and its result. */

import type { ObjectImporter } from "../../objects/index.ts";
import type { BlobReader, UnpackedLayers } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { ArchivedEntry } from "./layer-splitter.ts";

/** What the layers of one pull share. */
export interface LayerContext {
  readonly repository: Repository;
  readonly blobs: BlobReader;
  /** If the place has these, they are used instead of blobs. */
  readonly unpacked: UnpackedLayers | undefined;
  /** One for all layers, so that pending work for the workers is bounded however many there are. */
  readonly importer: ObjectImporter;
  /** As in {@link unpackedLimitBytes}. */
  readonly layerLimitBytes: number | undefined;
  /** Files of an unpacked layer may become objects by a hard link. */
  readonly linkFiles: boolean;
  readonly signal: AbortSignal;
}

/** A layer that is in the repository, except for its name. */
export interface StoredLayer {
  /** Object id of the layer's stream. */
  readonly streamId: string;
  /** Bytes kept in the stream itself. */
  readonly inlinedBytes: number;
  /** What the archive lists, in order; undefined for an artifact's blob, or if it is too much to keep. */
  readonly entries: readonly ArchivedEntry[] | undefined;
}
