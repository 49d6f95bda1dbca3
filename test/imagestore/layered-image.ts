/** Layouts with an image of several layers, for tests of what happens between layers. */
import { randomBytes } from "node:crypto";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import { type Descriptor, MEDIA_TYPE, OciLayout, putLayer, type WrittenLayer } from "../../src/oci/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import type { Compression } from "../../src/zstd/index.ts";

const COMMON = { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 1_000_000_000n };
const USR: TarMember = { header: { ...COMMON, kind: "directory", path: "usr" as ByteString } };

export interface LayeredImage {
  readonly layout: OciLayout;
  readonly reference: string;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  /** The file with the layer's blob. */
  blobPath(layer: number): string;
}

/** A layer's regular file below `usr`. */
export function file(name: string, body: Uint8Array): TarMember {
  return { header: { ...COMMON, kind: "file", path: byteStringOfText(`usr/${name}`), sizeBytes: body.length }, body };
}

/** Files of random bytes, of these sizes; no two layers share any. */
export function randomFiles(prefix: string, sizesBytes: readonly number[]): TarMember[] {
  return sizesBytes.map((sizeBytes, index) => file(`${prefix}-${index}`, randomBytes(sizeBytes)));
}

/** /usr, /boot and /sysroot with fractions of a second of their own, and a file with a user attribute. */
export function bootableMembers(): TarMember[] {
  const directory = (path: string, mtimeNanoseconds: number): TarMember => ({
    header: { ...COMMON, kind: "directory", path: byteStringOfText(path), mtimeNanoseconds },
  });
  const tool = file("tool", Buffer.alloc(5000, "tool"));
  const xattrs = new Map([["user.note" as ByteString, Buffer.from("x")]]);
  const directories = [directory("usr", 11), directory("boot", 22), directory("sysroot", 33)];
  return [...directories, { ...tool, header: { ...tool.header, xattrs } }];
}

/**
 * Writes the layers, each with `usr` and its members, and an image of them with the tag `t`.
 *
 * @param order which layers the image lists, by their index; each once when absent
 */
export async function layeredImage(
  directory: string,
  layers: readonly (readonly TarMember[])[],
  options: { readonly order?: readonly number[]; readonly compression?: Compression } = {},
): Promise<LayeredImage> {
  const layout = await OciLayout.create(directory);
  const written: WrittenLayer[] = [];
  for (const members of layers) {
    written.push(await putLayer(layout, writeTar([USR, ...members]), { compression: options.compression ?? "zstd" }));
  }
  const listed = (options.order ?? [...written.keys()]).flatMap((index) => written[index] ?? []);
  const diffIds = listed.map(({ diffId }) => diffId);
  const descriptors = listed.map(({ descriptor }) => descriptor);
  const config = await layout.putConfig({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = { schemaVersion: 2 as const, mediaType: MEDIA_TYPE.manifest, config, layers: descriptors };
  await layout.putManifest(manifest, { tag: "t" });
  return {
    layout,
    reference: `oci:${layout.directory}:t`,
    layers: descriptors,
    diffIds,
    blobPath: (layer) => layout.blobs.pathOf(descriptors[layer]?.digest ?? ""),
  };
}
