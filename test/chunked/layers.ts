/** Layers of the fixtures in test/vectors/oci, and blobs taken apart. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { type ChunkedPositions, readChunkedAnnotations, readTarSplit } from "../../src/chunked/index.ts";
import { digestOf } from "../../src/oci/index.ts";
import { decompress } from "../../src/zstd/index.ts";

const VECTORS = new URL("../vectors/oci/", import.meta.url).pathname;

export interface FixtureLayer {
  readonly blob: Buffer;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly layers: readonly { readonly digest: string; readonly annotations?: Record<string, string> }[];
}

/** The layers of a layout's image in one of the archives. */
export function fixtureLayers(archive: string, layout: string): FixtureLayer[] {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-chunked-"));
  try {
    execFileSync("tar", ["-xzf", join(VECTORS, `${archive}.tar.gz`), "-C", directory]);
    const blobs = join(directory, layout, "blobs/sha256");
    const json = (name: string) => JSON.parse(readFileSync(name, "utf8"));
    const index: { manifests: { digest: string }[] } = json(join(directory, layout, "index.json"));
    const manifest: Manifest = json(join(blobs, index.manifests[0]?.digest.slice("sha256:".length) ?? ""));
    return manifest.layers.map(({ digest, annotations = {} }) => ({
      blob: readFileSync(join(blobs, digest.slice("sha256:".length))),
      annotations,
    }));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

/** In pieces of `pieceBytes`. */
export async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** All frames of a blob, by a reader that knows nothing of tables. */
export function unzstd(blob: Uint8Array): Promise<Buffer> {
  return collect(decompress(inPieces(blob, 1 << 20), "zstd"));
}

/** The table's JSON and the tar-split lines of a blob, each checked against its digest as far as there is one. */
export function parts(layer: FixtureLayer): { positions: ChunkedPositions; toc: string; tarSplit: Buffer } {
  const positions = readChunkedAnnotations(layer.annotations, layer.blob.length);
  if (positions?.tarSplit === undefined) throw new Error("no table");
  const compressed = layer.blob.subarray(positions.toc.start, positions.toc.end);
  if (digestOf(compressed) !== positions.tocDigest) throw new Error("wrong table");
  const tarSplit = layer.blob.subarray(positions.tarSplit.start, positions.tarSplit.end);
  return { positions, toc: zstdDecompressSync(compressed).toString("utf8"), tarSplit: zstdDecompressSync(tarSplit) };
}

/** The tar made of tar-split data and bodies by name. */
export async function rebuild(tarSplit: Uint8Array, bodyOf: (name: string) => Uint8Array): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const part of readTarSplit([tarSplit])) {
    if (part.type === "bytes") pieces.push(part.bytes);
    else if (part.sizeBytes > 0) pieces.push(bodyOf(part.name));
  }
  return Buffer.concat(pieces);
}
