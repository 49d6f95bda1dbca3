/** What fetching a layer needs, and its result. */

import type { ObjectImporter } from "../../objects/index.ts";
import type { BlobReader, UnpackedLayers } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { LocalContents } from "../partial/local-contents.ts";
import type { Layer } from "./layer.ts";
import type { ArchivedEntry } from "./layer-splitter.ts";

/** What the layers of one pull share. */
export interface FetchContext {
  readonly repository: Repository;
  readonly blobs: BlobReader;
  /** If the place has these, they are used instead of blobs. */
  readonly unpacked: UnpackedLayers | undefined;
  /** One for all layers, so that pending work for the workers is bounded however many there are. */
  readonly importer: ObjectImporter;
  /** As in {@link unpackedLimitBytes}. */
  readonly layerLimitBytes: number | undefined;
  /** Finds what need not be fetched. */
  readonly contents: LocalContents;
  /** Told why a layer with a table of contents is fetched whole. */
  readonly onPullWhole: (layer: Layer, reason: string) => void;
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

export interface FetchedLayer extends StoredLayer {
  /** Bytes of the blob that were requested; none of a layer that is kept unpacked. */
  readonly fetchedBytes: number;
  /** Bytes of the blob's files that were not. */
  readonly savedBytes: number;
}
