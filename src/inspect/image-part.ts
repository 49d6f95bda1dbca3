/** OCI images: what the manifest and the configuration say, and the UKI of a sealed one. */

import { SealrootError } from "../errors/index.ts";
import { openImage } from "../images/index.ts";
import { type Descriptor, formatReference, type ImageConfig, type ImageReference } from "../oci/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";
import { readSealedUki } from "../seal/index.ts";
import { type Part, PartDraft } from "./part.ts";
import { programPart } from "./program-part.ts";

export interface ImagePartOptions {
  readonly policy?: PolicyChoice | undefined;
  readonly registry?: RegistryOptions | undefined;
}

/** @throws SealrootError when the image cannot be opened at all */
export async function imagePart(reference: ImageReference, options: ImagePartOptions): Promise<Part> {
  const { policy, registry } = options;
  const image = await openImage(reference, { registry, ...(policy === undefined ? {} : { policy }) });
  try {
    const { manifest, descriptor, config, indexes } = image;
    const draft = new PartDraft(config === undefined ? "artifact" : "image", formatReference(reference));
    draft.fact("manifestDigest", descriptor.digest).fact("mediaType", descriptor.mediaType);
    draft.fact("configDigest", manifest.config.digest);
    draft.fact("artifactType", manifest.artifactType);
    if (indexes.length > 0)
      draft.fact(
        "indexes",
        indexes.map(({ digest }) => digest),
      );
    draft.fact(
      "sizeBytes",
      manifest.layers.reduce((sum, { size }) => sum + size, manifest.config.size),
    );
    draft.fact("annotations", pairsOf(manifest.annotations));
    if (config !== undefined) addConfig(draft, config);
    const created = layerOrigins(config);
    for (const [index, layer] of manifest.layers.entries()) {
      draft.add(layerPart(layer, index, config?.rootfs.diff_ids[index], created[index]));
    }
    if (config !== undefined) {
      await draft.attemptAsync(async () => {
        const uki = await readSealedUki(image).catch(unlessUnsealed);
        draft.fact("sealed", uki !== undefined);
        if (uki !== undefined) draft.add(await programPart(uki, "the sealed UKI"));
      });
    }
    return draft.finish();
  } finally {
    await image.close();
  }
}

function unlessUnsealed(error: unknown): undefined {
  if (error instanceof SealrootError && error.code === "unsupported") return undefined;
  throw error;
}

function addConfig(draft: PartDraft, { architecture, variant, os, created, config }: ImageConfig): void {
  draft.fact("architecture", variant === undefined ? architecture : `${architecture}/${variant}`);
  draft.fact("os", os).fact("created", created);
  draft.fact("labels", pairsOf(config?.Labels));
}

function pairsOf(texts: Readonly<Record<string, string>> | undefined): readonly string[] | undefined {
  const pairs = Object.entries(texts ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? undefined : pairs;
}

/** What made each layer: the history has more entries than there are layers, those without one marked. */
function layerOrigins(config: ImageConfig | undefined): readonly (string | undefined)[] {
  return (config?.history ?? []).filter(({ empty_layer }) => empty_layer !== true).map(({ created_by }) => created_by);
}

function layerPart(
  { digest, mediaType, size, annotations }: Descriptor,
  index: number,
  diffId: string | undefined,
  createdBy: string | undefined,
): Part {
  return new PartDraft("layer", String(index + 1))
    .fact("digest", digest)
    .fact("diffId", diffId)
    .fact("mediaType", mediaType)
    .fact("sizeBytes", size)
    .fact("createdBy", createdBy)
    .fact("annotations", pairsOf(annotations))
    .finish();
}
