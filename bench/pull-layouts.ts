/** The benchmark's image once more, in other shapes: as one zstd layer, and as ten gzip layers. */

import { openImage } from "../src/images/index.ts";
import { OciLayout, parseReference, putLayer, type WrittenLayer } from "../src/oci/index.ts";
import { BLOCK_BYTES, END_OF_ARCHIVE, TarParser } from "../src/tar/index.ts";
import { decompress } from "../src/zstd/index.ts";

const LAYER_COUNT = 10;
/** As the example's image is compressed: fast rather than small. */
const GZIP_LEVEL = 3;

export interface PullLayouts {
  /** `oci:DIRECTORY:TAG`. */
  readonly zstd: string;
  readonly tenLayers: string;
}

/**
 * Writes both below `scratch`.
 * @param reference an image of one gzip layer
 */
export async function makePullLayouts(
  reference: string,
  uncompressedBytes: number,
  scratch: string,
): Promise<PullLayouts> {
  return {
    zstd: await rewrite(reference, `${scratch}/zstd`, async (layout, tar) => [
      await putLayer(layout, tar, { compression: "zstd" }),
    ]),
    tenLayers: await rewrite(reference, `${scratch}/ten-layers`, async (layout, tar) => {
      const cutter = new TarCutter(tar);
      const written: WrittenLayer[] = [];
      for (let layer = 1; layer <= LAYER_COUNT; layer++) {
        const untilBytes = layer === LAYER_COUNT ? Number.POSITIVE_INFINITY : (uncompressedBytes / LAYER_COUNT) * layer;
        written.push(await putLayer(layout, cutter.next(untilBytes), { compression: "gzip", level: GZIP_LEVEL }));
      }
      return written;
    }),
  };
}

/** The image of one layer in a new layout, with layers that are written of its tar. @returns its reference */
export async function rewrite(
  reference: string,
  directory: string,
  write: (layout: OciLayout, tar: AsyncIterable<Uint8Array>) => Promise<WrittenLayer[]>,
): Promise<string> {
  const image = await openImage(parseReference(reference));
  try {
    const layout = await OciLayout.create(directory);
    const [layer] = image.manifest.layers;
    if (image.config === undefined || layer === undefined) throw new Error(`${reference} has no layer`);
    const written = await write(layout, decompress(image.blobs.read(layer), "gzip"));
    const rootfs = { type: "layers" as const, diff_ids: written.map(({ diffId }) => diffId) };
    const config = await layout.putConfig({ ...image.config, rootfs, history: [] });
    await layout.putManifest(
      { ...image.manifest, config, layers: written.map(({ descriptor }) => descriptor) },
      { tag: "bench" },
    );
    return `oci:${directory}:bench`;
  } finally {
    await image.close();
  }
}

/** Cuts one archive into several, between entries. */
class TarCutter {
  readonly #blocks: AsyncIterator<Uint8Array>;
  readonly #parser = new TarParser({ inline: () => {}, entry: () => {}, body: () => {} }, 0);

  constructor(tar: AsyncIterable<Uint8Array>) {
    this.#blocks = blocksOf(tar);
  }

  /** The archive from where the last one ended up to the first entry after this many bytes, as a separate archive. */
  async *next(untilBytes: number): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = await this.#blocks.next();
      if (next.done === true) return;
      this.#parser.push(next.value);
      yield next.value;
      if (this.#parser.streamBytes >= untilBytes && this.#parser.atEntryBoundary) break;
    }
    yield END_OF_ARCHIVE;
  }
}

async function* blocksOf(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of tar) {
    // Where a piece ends inside a block, the parser sees it in two parts.
    for (let at = 0; at < piece.length; at += BLOCK_BYTES) yield piece.subarray(at, at + BLOCK_BYTES);
  }
}
