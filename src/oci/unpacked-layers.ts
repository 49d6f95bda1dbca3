/** Layers that a place keeps unpacked: their blobs are gone, but their tar streams can be rebuilt. */
import { readSync } from "node:fs";
import { Crc64 } from "../chunked/index.ts";

/** A file whose bytes come next in the stream. */
export interface LayerBody {
  readonly type: "body";
  /** Open for reading; closed when the next part is requested. */
  readonly fd: number;
  readonly sizeBytes: number;
  /**
   * Call with the CRC-64 of the bytes that were used.
   * @throws SealrootError `corrupt`, naming the file, when they are not the original ones
   */
  check(checksum: Uint8Array): void;
}

export type LayerPart = LayerBody | { readonly type: "bytes"; readonly bytes: Uint8Array };

export interface UnpackedLayer {
  /** Length of the stream, for progress; only the diff id is trusted. */
  readonly sizeBytes: number | undefined;
  /**
   * The stream in order. The consumer must check its digest.
   * @throws SealrootError `corrupt` when it cannot be rebuilt, `no-access`
   */
  parts(): AsyncGenerator<LayerPart>;
}

export interface UnpackedLayers {
  /** @throws SealrootError `corrupt` when the image has no such layer there */
  find(diffId: string): UnpackedLayer;
}

const READ_BYTES = 1 << 20;

/**
 * The bytes of an open file, checked. The pieces are valid until the next is requested.
 */
export function* bodyBytes({ sizeBytes, check }: LayerBody, fd: number): Generator<Uint8Array> {
  const checksum = new Crc64();
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, sizeBytes));
  for (let at = 0; at < sizeBytes; ) {
    const length = readSync(fd, buffer, 0, Math.min(buffer.length, sizeBytes - at), at);
    if (length === 0) break;
    at += length;
    const piece = buffer.subarray(0, length);
    checksum.update(piece);
    yield piece;
  }
  check(checksum.digest());
}

/** The whole tar stream as bytes. */
export async function* unpackedTar(layer: UnpackedLayer): AsyncGenerator<Uint8Array> {
  for await (const part of layer.parts()) {
    if (part.type === "bytes") yield part.bytes;
    // Copied: consumers of a stream may keep its parts.
    else for (const piece of bodyBytes(part, part.fd)) yield Uint8Array.from(piece);
  }
}
