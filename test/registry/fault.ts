/** What a row of the fault table is made of. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readManifest } from "../../src/oci/index.ts";
import type { RegistryLimits } from "../../src/registry/index.ts";
import type { Compression } from "../../src/zstd/index.ts";
import { type LayeredImage, layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import type { Behaviour, Exchange, MisbehavingRegistry } from "./misbehaving-registry.ts";

/** What a row is about, when it runs. */
export interface FaultScene {
  readonly registry: MisbehavingRegistry & { readonly elsewhere: MisbehavingRegistry };
  readonly image: LayeredImage;
  /** The digest of the layer on which the faults fall; the other layers are served rightly. */
  readonly target: string;
}

export type FaultBehaviour = (scene: FaultScene) => Behaviour;

export interface Fault {
  readonly name: string;
  /** Undefined: the pull succeeds all the same. */
  readonly refusal?: { readonly code: string; readonly message: RegExp };
  /** What the registry does; undefined: nothing wrong, the image is. */
  readonly behaviour?: FaultBehaviour;
  /** What another host with the same image does. */
  readonly elsewhere?: Behaviour;
  /** Makes another image than the usual one, of three layers. */
  readonly image?: (directory: string) => Promise<LayeredImage>;
  readonly limits?: Partial<RegistryLimits>;
  readonly layerLimitBytes?: number;
  /** Looked at when the pull has ended. */
  readonly check?: (scene: FaultScene) => void;
}

/** How often a request is repeated in these tests. */
export const RETRIES = 3;

/** Does it to the layer on which the faults fall, and what is right to everything else. */
export function onTarget(behaviour: Behaviour): FaultBehaviour {
  return ({ target }) =>
    (exchange) =>
      exchange.reference === target ? behaviour(exchange) : exchange.answer();
}

/** Does it to the manifest. */
export function onManifest(behaviour: Behaviour): FaultBehaviour {
  return () => (exchange) => (exchange.kind === "manifest" ? behaviour(exchange) : exchange.answer());
}

/** Answers with other bytes of the length they have. */
export function wrongBytes(
  { response, bytes = Buffer.alloc(0) }: Exchange,
  change: (copy: Buffer<ArrayBuffer>) => Buffer,
): void {
  const changed = change(Buffer.from(bytes));
  response.writeHead(200, { "content-length": changed.length }).end(changed);
}

/** How often a line is in the log. */
export function countOf(log: readonly string[], line: string): number {
  return log.filter((other) => other === line).length;
}

/** The line of the log for a blob that is read. */
export function blobLine(digest: string): string {
  return `GET /v2/image/blobs/${digest}`;
}

/** An image whose one layer has lost its second half before it was given a digest. */
export async function truncatedImage(directory: string, compression: Compression): Promise<LayeredImage> {
  const image = await layeredImage(directory, [randomFiles("a", [100_000])], { compression });
  const { layout } = image;
  const [entry] = (await layout.readIndex()).manifests;
  assert.ok(entry);
  const manifest = readManifest(await layout.blobs.readWhole(entry), entry.digest);
  const whole = readFileSync(image.blobPath(0));
  const layers = manifest.layers.map(async (layer) => ({
    ...layer,
    ...(await layout.blobs.put(whole.subarray(0, whole.length >> 1))),
  }));
  await layout.putManifest({ ...manifest, layers: await Promise.all(layers) }, { tag: "t" });
  return image;
}
