/** An update in which one package changed: what it needs, against what is fetched. */
import { openSync, readFileSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ByteString, byteStringOfText } from "../src/bytes/index.ts";
import { readChunkedAnnotations, readToc, type StoredPart, type Toc } from "../src/chunked/index.ts";
import { copyImage, openImage } from "../src/images/index.ts";
import { type Descriptor, parseReference, putLayer } from "../src/oci/index.ts";
import { ACCEPT_ANYTHING } from "../src/policy/index.ts";
import { TarParser } from "../src/tar/index.ts";
import { unzstdWhole } from "../src/zstd/index.ts";
import { rewrite } from "./pull-layouts.ts";

/** Where dpkg says which files are whose; systems whose /var does not come with the image keep it here. */
const DPKG_LISTS = "usr/lib/sysimage/dpkg/info";
/** Of middling size, and in every Debian system. */
export const UPDATED_PACKAGE = "systemd";

export interface BenchUpdate {
  /** The image before and after, as one zstd:chunked layer each: `docker://…`. */
  readonly before: string;
  readonly after: string;
  /** What the files that changed take in the layer, compressed. */
  readonly changedBytes: number;
  /** The table of contents and the tar-split data, as they are fetched. */
  readonly tableBytes: number;
  readonly tarSplitBytes: number;
}

/**
 * Writes both images, and counts.
 * @param reference the image, as one gzip layer
 * @param tree the layer unpacked, where dpkg's list of the package is
 * @param host of the registry that gets them
 */
export async function makeUpdate(reference: string, tree: string, host: string, scratch: string): Promise<BenchUpdate> {
  const list = readFileSync(join(tree, DPKG_LISTS, `${UPDATED_PACKAGE}.list`), "utf8");
  const paths = new Set(list.trim().split("\n").map(byteStringOfText));
  const changed = await rewrite(reference, join(scratch, "changed"), async (layout, tar) => [
    await putLayer(layout, withChanges(tar, paths), { compression: "zstd" }),
  ]);
  const [before, after] = [`docker://${host}/update:before`, `docker://${host}/update:after`];
  const old = await publish(reference, join(scratch, "update-before"), before);
  const { toc, ...tables } = await publish(changed, join(scratch, "update-after"), after);
  rmSync(join(scratch, "changed"), { recursive: true });
  const known = new Set(old.toc.entries.map(({ content }) => content?.digest));
  // By content, as equal files are fetched once.
  const missing = new Map<string, number>();
  for (const { content } of toc.entries) {
    if (content === undefined || known.has(content.digest)) continue;
    const sizes = content.chunks.map(({ start, end }) => end - start);
    missing.set(
      content.digest,
      sizes.reduce((sum, size) => sum + size, 0),
    );
  }
  const changedBytes = [...missing.values()].reduce((sum, size) => sum + size, 0);
  return { before, after, changedBytes, ...tables };
}

/** The archive with other bytes in these files, of the same number. */
async function* withChanges(
  tar: AsyncIterable<Uint8Array>,
  paths: ReadonlySet<ByteString>,
): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  let isChanged = false;
  const parser = new TarParser(
    {
      inline: (bytes) => pieces.push(Uint8Array.from(bytes)),
      entry: ({ path }) => {
        isChanged = paths.has(path.replace(/^\.?\/?/, "/") as ByteString);
      },
      body: (bytes) =>
        pieces.push(isChanged ? bytes.map((byte, at) => (at % 4096 === 0 ? byte ^ 1 : byte)) : Uint8Array.from(bytes)),
    },
    0,
  );
  for await (const piece of tar) {
    parser.push(piece);
    yield* pieces;
    pieces = [];
  }
}

/** Packs the image into a layout, for a look at its table, and copies it into the registry. */
async function publish(from: string, directory: string, to: string): Promise<ReadTables> {
  const layout = parseReference(`oci:${directory}:bench`);
  await copyImage(parseReference(from), layout, { policy: ACCEPT_ANYTHING, packing: "zstd:chunked" });
  await copyImage(layout, parseReference(to), { policy: ACCEPT_ANYTHING });
  const image = await openImage(layout, { policy: ACCEPT_ANYTHING });
  await image.close();
  const [layer] = image.manifest.layers;
  if (layer === undefined) throw new Error(`${from} has no layer`);
  try {
    return readTables(layer, join(directory, "blobs", layer.digest.replace(":", "/")));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface ReadTables extends Pick<BenchUpdate, "tableBytes" | "tarSplitBytes"> {
  readonly toc: Toc;
}

function readTables(layer: Descriptor, path: string): ReadTables {
  const positions = readChunkedAnnotations(layer.annotations ?? {}, layer.size);
  if (positions === undefined) throw new Error(`${layer.digest} has no table of contents`);
  const { toc: part, tarSplit } = positions;
  const bytes = unzstdWhole(readPart(path, part), part.uncompressedBytes);
  const tarSplitBytes = tarSplit === undefined ? 0 : tarSplit.end - tarSplit.start;
  return { toc: readToc(bytes, layer.size), tableBytes: part.end - part.start, tarSplitBytes };
}

function readPart(path: string, { start, end }: StoredPart): Uint8Array {
  const bytes = Buffer.alloc(end - start);
  readSync(openSync(path, "r"), bytes, 0, bytes.length, start);
  return bytes;
}
