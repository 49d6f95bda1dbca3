/** A composefs repository as bootc's pull leaves it, by the description of its layout alone (spec/repository.md 1 to 5). */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { verityDigest } from "../../../src/verity/index.ts";
import { type Piece, splitStream } from "./split-stream.ts";
import { type Member, walkTar } from "./tar-walk.ts";

/** What repositories of older bootc lack. */
export interface RepositoryForm {
  readonly metaJson: boolean;
  /** The headers of streams that bootc wrote up to 1.15. */
  readonly oldHeaders: boolean;
  /** Without: the EROFS image has no name in the configuration's stream, and the manifest no stream and no tag. */
  readonly ociMetadata: boolean;
}

/** An image of an OCI layout, as documents. */
export interface LayoutImage {
  readonly manifestDigest: string;
  readonly manifest: {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  readonly config: { readonly rootfs: { readonly diff_ids: readonly string[] } };
  readonly members: readonly Member[];
}

/** EROFS images by what the configuration calls them, such as `composefs.image.boot.v1`. */
export type ErofsImages = ReadonlyMap<string, Uint8Array>;

const META = `{
  "version": 1,
  "algorithm": "fsverity-sha512-12",
  "features": {
    "compatible": [],
    "read-only-compatible": [
      "v1_erofs"
    ],
    "incompatible": []
  },
  "erofs_formats": {
    "default": 1
  }
}
`;

export class BootcRepository {
  readonly path: string;
  readonly #form: RepositoryForm;

  constructor(path: string, form: RepositoryForm) {
    this.path = path;
    this.#form = form;
    for (const folder of ["objects", "images", "streams"]) mkdirSync(join(path, folder), { recursive: true });
    chmodSync(path, 0o700);
    if (form.metaJson && !existsSync(join(path, "meta.json"))) writeFileSync(join(path, "meta.json"), META);
  }

  /** @returns its id */
  object(bytes: Uint8Array): string {
    const id = verityDigest(bytes, "sha512");
    const path = join(this.path, "objects", id.slice(0, 2), id.slice(2));
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) writeFileSync(path, bytes);
    return id;
  }

  /** Stores an image of a layout, with its EROFS images, under the tag that bootc gives it. */
  pull(layout: string, images: ErofsImages): LayoutImage {
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
    const manifestDigest: string = index.manifests[0].digest;
    const blob = (digest: string) => readFileSync(join(layout, "blobs/sha256", digest.slice("sha256:".length)));
    const manifest = JSON.parse(blob(manifestDigest).toString("utf8"));
    const configBytes = blob(manifest.config.digest);
    const config = JSON.parse(configBytes.toString("utf8"));
    const members: Member[] = [];
    const layers = new Map<string, string>();
    for (const [number, { digest }] of manifest.layers.entries()) {
      const tar = gunzipSync(blob(digest));
      const diffId: string = config.rootfs.diff_ids[number];
      const actual = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
      if (actual !== diffId) throw new Error(`layer ${number} is ${actual}`);
      const { members: own, runs } = walkTar(tar);
      members.push(...own);
      const pieces = runs.map(
        ({ bytes, isBody }): Piece => (isBody ? { objectId: this.object(bytes), sizeBytes: bytes.length } : bytes),
      );
      layers.set(diffId, this.#stream(`oci-layer-${diffId}`, "ocilayer", pieces));
    }
    const names = new Map(layers);
    for (const [key, bytes] of images) {
      // Nothing would lead to the image of the plain tree.
      if (!this.#form.ociMetadata && !key.includes(".boot")) continue;
      const id = this.object(bytes);
      this.#link(`images/${id}`, `../objects/${id.slice(0, 2)}/${id.slice(2)}`);
      if (this.#form.ociMetadata) names.set(key, id);
    }
    const document = (bytes: Uint8Array): Piece[] => [{ objectId: this.object(bytes), sizeBytes: bytes.length }];
    const configId = this.#stream(`oci-config-${manifest.config.digest}`, "ociconfg", document(configBytes), names);
    if (this.#form.ociMetadata) {
      const refs = new Map([[`config:${manifest.config.digest}`, configId], ...layers]);
      this.#stream(`oci-manifest-${manifestDigest}`, "ocimanif", document(blob(manifestDigest)), refs);
      this.tag(`localhost/bootc-${manifestDigest}`, `oci-manifest-${manifestDigest}`);
    } else this.tag(`example-${manifest.config.digest}`, `oci-config-${manifest.config.digest}`);
    return { manifestDigest, manifest, config, members };
  }

  tag(name: string, stream: string): void {
    this.#link(`streams/refs/oci/${name.replaceAll("%", "%25").replaceAll("/", "%2F")}`, `../../${stream}`);
  }

  #stream(name: string, contentType: string, pieces: readonly Piece[], names?: ReadonlyMap<string, string>): string {
    const { oldHeaders: oldHeader } = this.#form;
    const id = this.object(splitStream({ contentType, pieces, oldHeader, ...(names === undefined ? {} : { names }) }));
    this.#link(`streams/${name}`, `../objects/${id.slice(0, 2)}/${id.slice(2)}`);
    return id;
  }

  #link(path: string, target: string): void {
    const link = join(this.path, path);
    mkdirSync(dirname(link), { recursive: true });
    if (!existsSync(link)) symlinkSync(target, link);
  }
}
