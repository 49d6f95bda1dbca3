/** What a deployment's boot files are, by its image in the repository. */
import {
  ADDON_SUFFIX,
  ARCHITECTURES,
  bootDigest,
  findLoader,
  findType1Paths,
  findUkis,
  listAddons,
} from "../bootimage/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { mergeLayers, readStoredImage, storedLayers } from "../imagestore/index.ts";
import { readUki } from "../pe/index.ts";
import type { Repository } from "../repository/index.ts";
import { type FileContent, TreeFiles } from "../tree/index.ts";
import { verityDigest } from "../verity/index.ts";

/** A file of the image. Its content is compared by digest, which needs only the layers' streams. */
export class ImageFile {
  /** In the image. */
  readonly path: string;
  readonly #content: FileContent;
  readonly #repository: Repository;

  constructor(path: string, content: FileContent, repository: Repository) {
    this.path = path;
    this.#content = content;
    this.#repository = repository;
  }

  /** The object that holds it, unless it is too small for one. */
  get objectId(): string | undefined {
    return this.#content.type === "external" ? this.#content.objectId : undefined;
  }

  isSame(bytes: Uint8Array): boolean {
    if (this.#content.type === "inline") return Buffer.compare(this.#content.bytes, bytes) === 0;
    return verityDigest(bytes, this.#repository.algorithm) === this.#content.objectId;
  }

  /** @throws SealrootError `corrupt` for other bytes than the layer has, whatever vouches for them */
  read(): Uint8Array {
    if (this.#content.type === "inline") return this.#content.bytes;
    const bytes = this.#repository.objects.read(this.#content.objectId ?? "");
    if (this.isSame(bytes)) return bytes;
    throw corrupt(`Cannot read ${this.path} of the image: its object has another content`, { path: this.path });
  }
}

export interface ImageBootFiles {
  /** Of a sealed image. */
  readonly uki: ImageFile | undefined;
  /** Of an image that is not sealed. */
  readonly kernel: { readonly linux: ImageFile; readonly initrd: ImageFile } | undefined;
  /** By the name that they have beside the UKI. */
  readonly addons: ReadonlyMap<string, ImageFile>;
  /** Those of every UKI, by their names without prefix and suffix. */
  readonly globalAddons: ReadonlyMap<string, ImageFile>;
  readonly loader: ImageFile | undefined;
  /**
   * SHA-256 hex, and what bootc before 1.17 says instead, which left the device tree out.
   * @throws SealrootError when the files cannot be read
   */
  bootDigests(): readonly [string, ...string[]];
}

/**
 * @throws SealrootError `not-found` when the repository lacks the image; `corrupt` when its layers cannot be read
 */
export async function imageBootFiles(repository: Repository, manifestDigest: string): Promise<ImageBootFiles> {
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) {
    const what = `Its image ${manifestDigest} is not in the repository`;
    throw new SealrootError("not-found", what, { path: repository.path });
  }
  const files = new TreeFiles(await mergeLayers(repository, storedLayers(stored)), (id) => repository.objects.read(id));
  const fileAt = (path: string): ImageFile => {
    const found = files.resolve(path);
    if (found?.node.kind !== "file") throw corrupt(`Cannot find ${path} in the image`, { path });
    return new ImageFile(path, found.node.content, repository);
  };
  const loaderPath = Object.values(ARCHITECTURES).map(({ efi }) => findLoader(files, efi));
  const [loader] = loaderPath.flatMap((path) => (path === undefined ? [] : [fileAt(path)]));
  const [ukiPath] = findUkis(files);
  if (ukiPath === undefined) {
    const paths = findType1Paths(files);
    const [linux, initrd] = [fileAt(paths.kernelPath), fileAt(paths.initramfsPath)];
    return {
      ...{ loader, uki: undefined, kernel: { linux, initrd }, addons: new Map(), globalAddons: new Map() },
      bootDigests: () => [bootDigest({ kernel: linux.read(), initramfs: initrd.read(), deviceTree: undefined })],
    };
  }
  const uki = fileAt(ukiPath);
  const all = listAddons(files, ukiPath);
  const addons = all.filter(({ scope }) => scope === "scoped");
  const globalAddons = all.filter(({ scope }) => scope === "global");
  return {
    ...{ loader, uki, kernel: undefined },
    addons: new Map(addons.map(({ name, path }) => [`${name}${ADDON_SUFFIX}`, fileAt(path)])),
    globalAddons: new Map(globalAddons.map(({ name, path }) => [name, fileAt(path)])),
    bootDigests: () => {
      const parts = readUki(uki.read(), `the UKI ${ukiPath}`);
      return [bootDigest(parts), bootDigest({ ...parts, deviceTree: undefined })];
    },
  };
}
