/** What fetching a layer needs, and its result. */
import type { Layer } from "../layer/layer.ts";
import type { LayerContext, StoredLayer } from "../layer/layer-context.ts";
import type { LocalContents } from "./local-contents.ts";

export interface FetchContext extends LayerContext {
  /** Finds what need not be fetched. */
  readonly contents: LocalContents;
  /** Told why a layer with a table of contents is fetched whole. */
  readonly onPullWhole: (layer: Layer, reason: string) => void;
}

export interface FetchedLayer extends StoredLayer {
  /** Bytes of the blob that were requested; none of a layer that is kept unpacked. */
  readonly fetchedBytes: number;
  /** Bytes of the blob's files that were not. */
  readonly savedBytes: number;
}
