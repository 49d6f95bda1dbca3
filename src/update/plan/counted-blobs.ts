/** How much of an image's blobs is read. */
import type { BlobName, BlobReader } from "../../oci/index.ts";

/** Passes everything on, and counts. */
export class CountedBlobs {
  /** By the digests of the blobs. */
  readonly bytes = new Map<string, number>();
  readonly reader: BlobReader;

  constructor(blobs: BlobReader) {
    const count = ({ digest }: BlobName, part: Uint8Array) =>
      void this.bytes.set(digest, (this.bytes.get(digest) ?? 0) + part.length);
    const readRanges = blobs.readRanges?.bind(blobs);
    this.reader = {
      readWhole: (blob) => blobs.readWhole(blob),
      async *read(blob) {
        for await (const part of blobs.read(blob)) {
          count(blob, part);
          yield part;
        }
      },
      ...(readRanges === undefined
        ? {}
        : {
            async *readRanges(blob, ranges) {
              for await (const piece of readRanges(blob, ranges)) {
                count(blob, piece.bytes);
                yield piece;
              }
            },
          }),
    };
  }
}
