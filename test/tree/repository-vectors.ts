/** Trees merged from the layers of the repository vectors. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { type ByteString, bytesOf } from "../../src/bytes/index.ts";
import { type TarEntry, TarParser } from "../../src/tar/index.ts";
import {
  applyLayerEntry,
  type DirectoryNode,
  INLINE_CONTENT_MAX_BYTES,
  type LayerEntry,
  newDirectory,
  newMetadata,
} from "../../src/tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../../src/verity/index.ts";

const VECTORS = new URL("../vectors/repo/", import.meta.url);

export const listCases = (): string[] => readdirSync(VECTORS).filter((name) => /^\d\d-/.test(name));

export function readCaseFile(name: string, file: string): Buffer | undefined {
  return readdirSync(new URL(`${name}/`, VECTORS)).includes(file)
    ? readFileSync(new URL(`${name}/${file}`, VECTORS))
    : undefined;
}

/** The image's tree before any transform, and its objects by digest. */
export function mergeCase(
  name: string,
  algorithm: VerityAlgorithm,
): { root: DirectoryNode; objects: Map<string, Buffer> } {
  const root = newDirectory();
  const objects = new Map<string, Buffer>();
  const { oci } = JSON.parse(String(readCaseFile(name, "expected.json")));
  const archive = new URL(`${name}/layout.tar.gz`, VECTORS).pathname;
  oci.layer_blobs.forEach((digest: string, index: number) => {
    const path = `layout/blobs/${digest.replace(":", "/")}`;
    const blob = execFileSync("tar", ["xzOf", archive, path]);
    const type: string = oci.layer_media_types[index];
    const tar = type.endsWith("gzip") ? gunzipSync(blob) : type.endsWith("zstd") ? zstdDecompressSync(blob) : blob;
    applyLayer(root, tar, algorithm, objects);
  });
  return { root, objects };
}

function applyLayer(root: DirectoryNode, tar: Buffer, algorithm: VerityAlgorithm, objects: Map<string, Buffer>): void {
  const parser = new TarParser(
    {
      inline: () => {},
      body: () => {},
      entry: (entry, body) => {
        const bytes = body.type === "inline" ? Buffer.from(body.bytes) : Buffer.alloc(0);
        applyLayerEntry(root, layerEntry(entry, bytes, algorithm, objects));
      },
    },
    Number.MAX_SAFE_INTEGER,
  );
  parser.push(tar);
  parser.finish();
}

function layerEntry(
  entry: TarEntry,
  bytes: Buffer,
  algorithm: VerityAlgorithm,
  objects: Map<string, Buffer>,
): LayerEntry {
  const { kind, path } = entry;
  const target = entry.linkPath ?? ("" as ByteString);
  const metadata = newMetadata({ ...entry, mode: entry.mode & 0o7777 });
  if (kind === "hardlink") return { type: "hardlink", path, target };
  if (kind === "symlink") return { type: "inode", path, node: { kind, metadata, target } };
  if (kind === "directory") return { type: "inode", path, node: newDirectory(metadata) };
  if (kind === "fifo") return { type: "inode", path, node: { kind, metadata } };
  if (kind === "file") {
    if (bytes.length <= INLINE_CONTENT_MAX_BYTES) {
      return { type: "inode", path, node: { kind, metadata, content: { type: "inline", bytes } } };
    }
    const objectId = verityDigest(bytes, algorithm);
    objects.set(objectId, bytes);
    const content = { type: "external", sizeBytes: bytes.length, objectId } as const;
    return { type: "inode", path, node: { kind, metadata, content } };
  }
  if (kind === "unknown") throw new Error("unknown entry type");
  const { major, minor } = entry.device ?? { major: 0, minor: 0 };
  const rdev = (minor & 0xff) + (major << 8) + (minor & ~0xff) * 2 ** 12;
  return { type: "inode", path, node: { kind, metadata, rdev } };
}

/** The bytes of a file of a merged tree. */
export function contentReader(objects: Map<string, Buffer>) {
  return (content: { type: "inline"; bytes: Uint8Array } | { type: "external"; objectId: string | undefined }) =>
    content.type === "inline" ? content.bytes : (objects.get(content.objectId ?? "") ?? bytesOf("" as ByteString));
}
