/** An image whose layers are in a repository, with what vouches for them. */
import { SealrootError } from "../../errors/index.ts";
import { runStep } from "../../events/index.ts";
import { openImage } from "../../images/index.ts";
import {
  findImage,
  type LayeredConfig,
  mergeLayers,
  pullLayers,
  type StoredImage,
  storedLayers,
} from "../../imagestore/index.ts";
import { type ImageConfig, parseReference } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { DirectoryNode } from "../../tree/index.ts";
import type { ImageDocuments } from "../policy/materials.ts";
import type { VerifyOptions } from "../policy/options.ts";
import type { ChainDraft } from "../report/link.ts";
import { softwareArtifacts } from "./software-artifacts.ts";

export interface LayeredImage {
  readonly config: LayeredConfig & { readonly config: ImageConfig };
  /** As unpacked. */
  readonly root: DirectoryNode;
  readonly repository: Repository;
  readonly documents: Omit<ImageDocuments, "reference">;
}

const REMEDY = "pull or copy the image again from where it was made";

/**
 * Fetches an image into the repository. Blobs and layers are compared with their digests on the way.
 *
 * @returns undefined when one does not fit, which is then a finding
 * @throws SealrootError as openImage, and `unsupported` for an artifact
 */
export async function fetchLayers(
  chain: ChainDraft,
  given: string,
  repository: Repository,
  { events, registry, sourcePolicy, materials }: VerifyOptions,
): Promise<LayeredImage | undefined> {
  const policy = sourcePolicy === undefined ? {} : { policy: sourcePolicy };
  const image = await runStep(events, "read image", () => openImage(parseReference(given), { registry, ...policy }));
  try {
    const { config, manifest } = image;
    if (config === undefined) throw artifact(given);
    const draft = chain.link("source", given);
    draft.checkedBy(`the manifest ${image.descriptor.digest}`);
    return await draft.attempt(
      async () => {
        const pulled = await pullLayers(repository, image, { known: undefined, complete: false, events });
        const layered = { digest: manifest.config.digest, config, layers: pulled.layers, manifest };
        const root = await mergeLayers(repository, storedLayers(layered), pulled.entries);
        draft.fact(layersText(manifest.layers.length));
        await materials?.take(draft, async () => {
          materials.softwareLists.push(...(await softwareArtifacts(image)));
        });
        const { manifestBytes, configBytes } = image;
        const documents = { manifestDigest: image.descriptor.digest, manifestBytes, configBytes };
        return { config: layered, root, repository, documents };
      },
      { path: given, remedy: REMEDY },
    );
  } finally {
    await image.close();
  }
}

/** @throws SealrootError `not-found`; `unsupported` for an artifact */
export async function storedImageLayers(
  chain: ChainDraft,
  name: string,
  repository: Repository,
): Promise<LayeredImage | undefined> {
  const stored: StoredImage = await findImage(repository, name);
  const { config, manifest, manifestDigest } = stored;
  if (config === undefined) throw artifact(name);
  const draft = chain.link("source", name);
  draft.checkedBy(`the manifest ${manifestDigest}`);
  return await draft.attempt(
    async () => {
      const root = await mergeLayers(repository, storedLayers(stored));
      draft.fact(layersText(manifest.layers.length));
      const documents = { manifestDigest, manifestBytes: stored.manifestBytes, configBytes: stored.bytes };
      return { config: { ...stored, config }, root, repository, documents };
    },
    { path: name, remedy: "sealroot repo fsck --repair" },
  );
}

function layersText(count: number): string {
  return `${count} ${count === 1 ? "layer has its digest" : "layers have their digests"}`;
}

function artifact(given: string): SealrootError {
  return new SealrootError("unsupported", `Cannot verify ${given}: it is an artifact, not an image`, { path: given });
}
