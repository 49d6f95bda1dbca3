/** Layouts whose documents are written by hand, for what no builder of ours would write. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { type Descriptor, MEDIA_TYPE } from "../../src/oci/index.ts";

/** What OCI calls a tar layer that is not compressed. */
export const TAR_LAYER = "application/vnd.oci.image.layer.v1.tar";

/** A layout that is being written, each thing as it is given. */
export class HandMadeLayout {
  readonly path: string;
  readonly #entries: object[] = [];

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, "blobs/sha256"), { recursive: true });
    writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  /** Stores bytes, or an object as JSON. */
  put(content: Uint8Array | object, mediaType: string): Descriptor {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    writeFileSync(join(this.path, "blobs/sha256", digest.slice("sha256:".length)), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** Enters a manifest or index under a tag and returns its reference. */
  tag(descriptor: object, tag = "t"): string {
    this.#entries.push({ ...descriptor, annotations: { "org.opencontainers.image.ref.name": tag } });
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: this.#entries };
    writeFileSync(join(this.path, "index.json"), JSON.stringify(index));
    return `oci:${this.path}:${tag}`;
  }
}

/** The configuration of an image of these layers. */
export function configOf(tars: readonly Uint8Array[], more: object = {}): object {
  const rootfs = { type: "layers", diff_ids: tars.map(digestOf) };
  return { architecture: "amd64", os: "linux", config: {}, rootfs, ...more };
}

/** Writes an image of uncompressed layers and returns its reference. @param more fields of its configuration */
export function imageOfTars(path: string, tars: readonly Uint8Array[], more: object = {}): string {
  const layout = new HandMadeLayout(path);
  const config = layout.put(configOf(tars, more), MEDIA_TYPE.config);
  const layers = tars.map((tar) => layout.put(tar, TAR_LAYER));
  const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers };
  return layout.tag(layout.put(manifest, MEDIA_TYPE.manifest));
}
