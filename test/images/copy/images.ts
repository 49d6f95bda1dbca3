/** Images for the tests of writing: made in a layout, pulled into a repository. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { pullImage } from "../../../src/imagestore/index.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageManifest,
  MEDIA_TYPE,
  OciLayout,
  putLayer,
} from "../../../src/oci/index.ts";
import { initRepository, type Repository } from "../../../src/repository/index.ts";
import { type TarMember, writeTar } from "../../../src/tar/index.ts";
import type { Compression } from "../../../src/zstd/index.ts";

/** Tool of the field that judges what we write; its words are returned. */
export function tool(name: string, ...args: string[]): string {
  return execFileSync(name, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

const PLAIN = { uid: 0, gid: 0, mtimeSeconds: 1n } as const;

function members(content: string, bytes: number): TarMember[] {
  const path = (text: string) => byteStringOfText(text);
  return [
    { header: { ...PLAIN, kind: "directory", path: path("usr"), mode: 0o755 } },
    { header: { ...PLAIN, kind: "file", path: path("usr/small"), mode: 0o644 }, body: Buffer.from(content) },
    { header: { ...PLAIN, kind: "file", path: path("usr/large"), mode: 0o644 }, body: noise(content, bytes) },
  ];
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(seed: string, bytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes; at += 64) parts.push(createHash("sha512").update(`${seed} ${at}`).digest());
  return Buffer.concat(parts).subarray(0, bytes);
}

export interface MadeImage {
  readonly layout: OciLayout;
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

export interface MakeOptions {
  readonly compression?: Compression;
  /** Of the compressor; 1 gives other bytes than the level that is written. */
  readonly level?: number;
  readonly tag?: string;
  readonly architecture?: string;
  /** One layer for each; equal texts give equal layers. */
  readonly contents?: readonly string[];
  readonly layerBytes?: number;
}

/** Makes an image of a few layers in a layout. */
export async function makeImage(directory: string, options: MakeOptions = {}): Promise<MadeImage> {
  const { compression = "gzip", tag = "v1", architecture = "amd64", contents = ["one", "two"] } = options;
  const layout = await OciLayout.create(directory);
  const layers = [];
  for (const content of contents) {
    const tar = writeTar(members(content, options.layerBytes ?? 100_000));
    layers.push(await putLayer(layout, tar, { compression, ...(options.level && { level: options.level }) }));
  }
  const config: ImageConfig = {
    architecture,
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: contents.map((content) => ({ created_by: content })),
  };
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await layout.putConfig(config),
    layers: layers.map((layer) => layer.descriptor),
    annotations: { "org.example.note": "kept" },
  };
  const descriptor = await layout.putManifest(manifest, { tag, platform: { architecture, os: "linux" } });
  return { layout, descriptor, manifest, config };
}

/** A new repository with the image in it, under the name `image`. */
export async function pulledInto(directory: string, image: MadeImage, tag = "v1"): Promise<Repository> {
  const { repository } = await initRepository(directory, { algorithm: "sha512", protection: "insecure" });
  await pullImage(repository, `oci:${image.layout.directory}:${tag}`, { name: "image" });
  return repository;
}

/** Names and contents of all files below a directory. */
export async function filesIn(directory: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = new Map<string, Buffer>();
  for (const path of paths.sort()) files.set(path.slice(directory.length + 1), await readFile(path));
  return files;
}
