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
  const now = await publish(changed, join(scratch, "update-after"), after);
  rmSync(join(scratch, "changed"), { recursive: true });
  return { before, after, ...neededBytes(old, now) };
}

/** What must be fetched of the layers of an image by a host that has those of another one. */
export function neededBytes(
  old: readonly ReadTables[],
  now: readonly ReadTables[],
): Pick<BenchUpdate, "changedBytes" | "tableBytes" | "tarSplitBytes"> {
  const known = new Set(old.flatMap(({ toc }) => toc.entries.map(({ content }) => content?.digest)));
  // By content, as equal files are fetched once.
  const missing = new Map<string, number>();
  for (const { content } of now.flatMap(({ toc }) => toc.entries)) {
    if (content === undefined || known.has(content.digest)) continue;
    missing.set(content.digest, sum(content.chunks.map(({ start, end }) => end - start)));
  }
  return {
    changedBytes: sum([...missing.values()]),
    tableBytes: sum(now.map(({ tableBytes }) => tableBytes)),
    tarSplitBytes: sum(now.map(({ tarSplitBytes }) => tarSplitBytes)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The archive with other bytes in these files, of the same number. */
export async function* withChanges(
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

/** Packs the image into a layout, for a look at the tables of its layers, and copies it into the registry. */
export async function publish(from: string, directory: string, to: string): Promise<readonly ReadTables[]> {
  const layout = parseReference(`oci:${directory}:bench`);
  await copyImage(parseReference(from), layout, { policy: ACCEPT_ANYTHING, packing: "zstd:chunked" });
  await copyImage(layout, parseReference(to), { policy: ACCEPT_ANYTHING });
  const image = await openImage(layout, { policy: ACCEPT_ANYTHING });
  await image.close();
  try {
    return image.manifest.layers.map((layer) =>
      readTables(layer, join(directory, "blobs", layer.digest.replace(":", "/"))),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export interface ReadTables extends Pick<BenchUpdate, "tableBytes" | "tarSplitBytes"> {
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
