/** Layers of any size in seconds: pieces are compressed once and put together as one gzip stream. */
import { createHash, type Hash } from "node:crypto";
import { constants, crc32, deflateRawSync } from "node:zlib";
import type { ByteString } from "../src/bytes/index.ts";
import { openImage } from "../src/images/index.ts";
import { type Descriptor, type ImageConfig, OciLayout, parseReference } from "../src/oci/index.ts";
import { ACCEPT_ANYTHING } from "../src/policy/index.ts";
import { encodeTarHeader } from "../src/tar/index.ts";
import { Random } from "./random.ts";

const PIECE_BYTES = 64 << 10;
const PIECES = 64;
/** What makes a file unlike every other one. */
const HEAD_BYTES = 4096;
/** Pieces of a file, log-uniform: 64 KiB to 4 MiB. */
const FILE_PIECES_MAX = 64;
const FILES_IN_DIRECTORY = 500;
/** The header of RFC 1952, section 2.3: no name, no time, unknown system. */
const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
/** A last block of fixed codes that holds nothing (RFC 1951, section 3.2.3). */
const LAST_BLOCK = Uint8Array.of(3, 0);
const GZIP_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";
const EMPTY_CONFIG: ImageConfig = {
  architecture: "amd64",
  os: "linux",
  rootfs: { type: "layers", diff_ids: [] },
  history: [],
};

export interface GrowthImage {
  /** `oci:DIRECTORY:TAG`. */
  readonly reference: string;
  /** Of the added layer. */
  readonly layerBytes: number;
}

/**
 * Writes an image with a layer of about `contentBytes` of files, 40 % of that compressed.
 * @param base reference of an image below the layer, or undefined
 */
export async function makeGrowthImage(directory: string, contentBytes: number, base?: string): Promise<GrowthImage> {
  const layout = await OciLayout.create(directory);
  const layers: Descriptor[] = [];
  let config = EMPTY_CONFIG;
  if (base !== undefined) {
    const image = await openImage(parseReference(base), { policy: ACCEPT_ANYTHING });
    for (const layer of image.manifest.layers) {
      await layout.blobs.put(image.blobs.read(layer));
      layers.push(layer);
    }
    config = image.config ?? EMPTY_CONFIG;
    await image.close();
  }
  const writer = new LayerMaker();
  const { digest, size } = await layout.blobs.put(writer.make(contentBytes));
  layers.push({ mediaType: GZIP_MEDIA_TYPE, digest, size });
  const diffIds = [...config.rootfs.diff_ids, writer.diffId];
  const entry = await layout.putConfig({ ...config, rootfs: { type: "layers", diff_ids: diffIds }, history: [] });
  await layout.putManifest({ schemaVersion: 2, config: entry, layers }, { tag: "bench" });
  return { reference: `oci:${directory}:bench`, layerBytes: writer.tarBytes };
}

class LayerMaker {
  readonly #random = new Random(0x9e3779b9);
  readonly #pieces: readonly Piece[];
  readonly #hash: Hash = createHash("sha256");
  #crc = 0;
  tarBytes = 0;
  diffId = "";

  constructor() {
    this.#pieces = Array.from({ length: PIECES }, () => pieceOf(this.#content()));
  }

  async *make(contentBytes: number): AsyncGenerator<Uint8Array> {
    yield GZIP_HEADER;
    for (const path of ["usr/", "usr/share/"]) yield this.#take(pieceOf(header(path)));
    for (let file = 0; this.tarBytes < contentBytes; file++) {
      const count = this.#random.size(1, FILE_PIECES_MAX);
      if (file % FILES_IN_DIRECTORY === 0) yield this.#take(pieceOf(header(directoryOf(file))));
      yield this.#take(pieceOf(Buffer.concat([header(fileOf(file), HEAD_BYTES + count * PIECE_BYTES), this.#head()])));
      for (let index = 0; index < count; index++) yield this.#take(this.#random.of(this.#pieces));
    }
    yield this.#take(pieceOf(new Uint8Array(1024)));
    yield LAST_BLOCK;
    this.diffId = `sha256:${this.#hash.digest("hex")}`;
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#crc, 0);
    trailer.writeUInt32LE(this.tarBytes % 2 ** 32, 4);
    yield trailer;
  }

  /** @returns the piece as it is in the stream */
  #take({ plain, deflated }: Piece): Uint8Array {
    this.#hash.update(plain);
    this.#crc = crc32(plain, this.#crc);
    this.tarBytes += plain.length;
    return deflated;
  }

  #head(): Buffer {
    const head = Buffer.alloc(HEAD_BYTES);
    for (let at = 0; at < HEAD_BYTES; at += 4) head.writeUInt32LE(this.#random.next(), at);
    return head;
  }

  /** Two thirds are letters of a small alphabet, as in text; a third cannot be compressed. */
  #content(): Buffer {
    const content = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; at < PIECE_BYTES; at += 4) {
      const value = this.#random.next();
      content.writeUInt32LE(at % 3 === 0 ? value : (value & 0x03030303) | 0x64646464, at);
    }
    return content;
  }
}

interface Piece {
  readonly plain: Uint8Array;
  /** Ends on a byte, and refers to nothing before it, so that pieces can be put together. */
  readonly deflated: Uint8Array;
}

function pieceOf(plain: Uint8Array): Piece {
  return { plain, deflated: deflateRawSync(plain, { level: 6, finishFlush: constants.Z_FULL_FLUSH }) };
}

function directoryOf(file: number): string {
  return `usr/share/growth-${Math.floor(file / FILES_IN_DIRECTORY)}/`;
}

function fileOf(file: number): string {
  return `${directoryOf(file)}file-${file}`;
}

function header(path: string, sizeBytes?: number): Uint8Array {
  return encodeTarHeader({
    kind: sizeBytes === undefined ? "directory" : "file",
    path: path as ByteString,
    mode: sizeBytes === undefined ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtimeSeconds: 1_790_000_000n,
    ...(sizeBytes !== undefined && { sizeBytes }),
  });
}
