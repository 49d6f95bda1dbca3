/** The image that a system came from: its documents, its layers, and the lists of software that it has. */
import { SealrootError } from "../errors/index.ts";
import { digestLike, readConfig, readManifest } from "../oci/index.ts";
import type { ChainDraft, LinkDraft } from "../verify/index.ts";
import { layersOfDocuments } from "./documents.ts";
import { bytesOfBase64, type Evidence } from "./evidence.ts";

export function checkSource(chain: ChainDraft, { source, softwareLists }: Evidence): void {
  const draft = chain.link("source", source?.reference ?? "the image");
  if (source === null) draft.find("unchecked", "the evidence has no manifest: where the system came from is not known");
  else {
    try {
      checkDocuments(draft, source);
    } catch (error) {
      draft.failed(error);
    }
  }
  for (const { path, sha256 } of softwareLists) draft.fact(`list of software ${path}, sha256 ${sha256}`);
}

function checkDocuments(draft: LinkDraft, source: NonNullable<Evidence["source"]>): void {
  const [manifestBytes, configBytes] = [source.manifest, source.config].map(bytesOfBase64);
  requireDigest("manifest", source.manifestDigest, manifestBytes);
  draft.checkedBy(`the manifest ${source.manifestDigest}`);
  const manifest = readManifest(manifestBytes ?? new Uint8Array(0), source.manifestDigest);
  const { digest } = manifest.config;
  requireDigest("configuration", digest, configBytes);
  const config = readConfig(configBytes ?? new Uint8Array(0), digest);
  const layers = layersOfDocuments(manifest, config);
  const { diff_ids: diffIds } = config.rootfs;
  if (diffIds.length !== layers.length) {
    draft.broken("manifest and configuration are not about the same layers", {
      ...{ expected: `${layers.length} layers`, found: `${diffIds.length} diff ids` },
    });
    return;
  }
  if (source.layers.length !== layers.length) {
    draft.broken("it states other layers than the manifest", {
      ...{ expected: `${layers.length} layers`, found: `${source.layers.length} layers` },
    });
  }
  for (const [index, layer] of layers.entries()) {
    const stated = source.layers[index];
    if (stated === undefined) continue;
    const [expected, found] = [layer, stated].map((item) => `${item.digest}, ${item.sizeBytes} bytes, ${item.diffId}`);
    if (expected !== found) {
      draft.broken(`layer ${index + 1} is not that of the manifest`, { expected: expected ?? "", found: found ?? "" });
    }
  }
  if (draft.isBroken) return;
  draft.fact(`manifest, configuration and ${layers.length} ${layers.length === 1 ? "layer" : "layers"} fit each other`);
}

function requireDigest(what: string, expected: string, bytes: Uint8Array = new Uint8Array(0)): void {
  const actual = digestLike(expected, bytes);
  if (actual === expected) return;
  throw new SealrootError("corrupt", `Cannot use the ${what}: it does not have its digest`, { expected, actual });
}
