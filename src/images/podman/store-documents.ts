/** The lists of a containers store: images.json and layers.json (containers/storage; spec/chunked-and-policy.md 5). */
import * as v from "valibot";
import { readJson } from "../../oci/index.ts";

/** A list of about ten thousand layers has this many bytes. */
export const STORE_LIST_MAX_BYTES = 64 << 20;

/** An id becomes part of a path: nothing else is allowed. */
const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "is not 64 hexadecimal digits"));
const optionalTexts = v.optional(v.record(v.string(), v.string()));

/** An empty store's lists may be null. */
const imagesSchema = v.optional(
  v.array(
    v.looseObject({
      id,
      digest: v.optional(v.string()),
      names: v.optional(v.array(v.string())),
      layer: v.optional(id),
      "big-data-names": v.optional(v.array(v.string())),
      "big-data-digests": optionalTexts,
    }),
  ),
  [],
);

const layersSchema = v.optional(
  v.array(
    v.looseObject({
      id,
      parent: v.optional(id),
      "diff-digest": v.optional(v.string()),
      "diff-size": v.optional(v.number()),
      flags: v.optional(v.looseObject({ incomplete: v.optional(v.boolean()) })),
      "big-data-names": v.optional(v.array(v.string())),
    }),
  ),
  [],
);

export type StoreImage = v.InferOutput<typeof imagesSchema>[number];
export type StoreLayer = v.InferOutput<typeof layersSchema>[number];

/** @throws SealrootError `corrupt` */
export function readStoreImages(bytes: Uint8Array, path: string): StoreImage[] {
  return readJson(imagesSchema, bytes, "list of images", path);
}

/** @throws SealrootError `corrupt` */
export function readStoreLayers(bytes: Uint8Array, path: string): StoreLayer[] {
  return readJson(layersSchema, bytes, "list of layers", path);
}

/** The file of a piece of "big data": its key, or the key in base64 if it has other characters (section 5). */
export function bigDataFileName(key: string): string {
  return /^[0-9a-z.]+$/.test(key) ? key : `=${Buffer.from(key, "utf8").toString("base64")}`;
}
