/** Layers that podman keeps as composefs does: each content once, under its digest (spec/chunked-and-policy.md 5, format 1). */
import * as v from "valibot";
import { type ByteString, byteStringOfText } from "../../bytes/index.ts";
import { TOC_MAX_BYTES } from "../../chunked/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import { readJson } from "../../oci/index.ts";
import type { Store } from "./store.ts";
import type { StoreLayer } from "./store-documents.ts";

const LAYER_DATA_MAX_BYTES = 64 << 10;

const LAYER_DATA_KEY = "zstd-chunked-layer-data";
const TOC_KEY = "zstd-chunked-manifest";

const layerDataSchema = v.looseObject({ format: v.optional(v.number()) });
const tocSchema = v.looseObject({
  entries: v.array(v.looseObject({ type: v.string(), name: v.string(), digest: v.optional(v.string()) })),
});

/** What `format` 0 and 1 mean; layers not pulled in parts have no such document. */
export type LayerFormat = "directory" | "composefs";

/** @throws SealrootError `corrupt`, `unsupported` for a future format */
export async function layerFormat(store: Store, layer: StoreLayer): Promise<LayerFormat> {
  if (!layer["big-data-names"]?.includes(LAYER_DATA_KEY)) return "directory";
  const bytes = await store.bigData("layers", layer.id, LAYER_DATA_KEY, LAYER_DATA_MAX_BYTES);
  if (bytes === undefined) throw corrupt(`Cannot read layer ${layer.id}: its ${LAYER_DATA_KEY} is missing`);
  const { format = 0 } = readJson(layerDataSchema, bytes, "layer data", layer.id);
  if (format === 0) return "directory";
  if (format === 1) return "composefs";
  throw new SealrootError("unsupported", `Cannot read layer ${layer.id}: its format ${format} is not known`, {
    hint: "copy the image out first: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG",
  });
}

/**
 * For each file of the layer the digest of its content, by the table of contents it was pulled with. The table is not
 * trusted: the rebuilt stream's digest decides.
 *
 * @returns name in the tar, without leading `./`, to 64 hexadecimal digits
 * @throws SealrootError `corrupt`
 */
export async function readTocNames(store: Store, layer: StoreLayer): Promise<Map<ByteString, string>> {
  const bytes = await store.bigData("layers", layer.id, TOC_KEY, TOC_MAX_BYTES);
  if (bytes === undefined) throw corrupt(`Cannot read layer ${layer.id}: its table of contents is missing`);
  const names = new Map<ByteString, string>();
  for (const { type, name, digest } of readJson(tocSchema, bytes, "table of contents", layer.id).entries) {
    if (type !== "reg" || digest === undefined) continue;
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    // It becomes a path.
    if (hex === undefined) throw corrupt(`Cannot read layer ${layer.id}: "${digest.slice(0, 160)}" is no digest`);
    names.set(byteStringOfText(name.replace(/^(?:\.?\/)+/, "")), hex);
  }
  return names;
}
