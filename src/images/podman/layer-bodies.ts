/** The file bodies of an unpacked layer, found by their names in the tar (spec/chunked-and-policy.md 5). */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { type ByteString, byteStringOfText, bytesOf, displayText } from "../../bytes/index.ts";
import { asSealrootError, corrupt, hasErrno, SealrootError } from "../../errors/index.ts";
import { fileHasXattr, openBeneath } from "../../platform/index.ts";
import type { FoundLayer } from "./store.ts";
import { layerFormat, readTocNames } from "./toc-names.ts";

/** An upper file that has only attributes, with its data in a lower layer (linux, overlayfs.rst, "metacopy"). */
const METACOPY_XATTRS = ["trusted.overlay.metacopy", "user.overlay.metacopy"].map(byteStringOfText);

/** Where one layer keeps its files. */
interface BodyDirectory {
  readonly path: string;
  readonly directoryFd: number;
  /** Undefined: files are under their own names; else, by name, under the digest of their content. */
  readonly digests: ReadonlyMap<ByteString, string> | undefined;
}

/** The bodies of one layer; missing ones are looked for in the layers below it. */
export class LayerBodies implements Disposable {
  readonly #layerId: string;
  /** The layer's own first. */
  readonly #directories: BodyDirectory[] = [];

  private constructor(layerId: string) {
    this.#layerId = layerId;
  }

  /**
   * @param chain the layer, and those below it from the nearest to the lowest
   * @throws SealrootError `not-found`, `no-access`, `corrupt`
   */
  static async open(chain: readonly [FoundLayer, ...FoundLayer[]]): Promise<LayerBodies> {
    const bodies = new LayerBodies(chain[0].layer.id);
    try {
      for (const found of chain) bodies.#directories.push(await openDirectory(found));
      return bodies;
    } catch (error) {
      bodies[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Opens the body of the tar entry of that name, a regular file of that length. No symbolic link is followed, whatever
   * an image put there.
   *
   * @returns the descriptor, which the caller closes
   * @throws SealrootError `corrupt` when the store lost it or has something else in its place, `no-access`
   */
  open(name: ByteString, sizeBytes: number): number {
    for (const directory of this.#directories) {
      const fd = this.#openIn(directory, name);
      if (fd === undefined) continue;
      try {
        const stat = fstatSync(fd);
        if (METACOPY_XATTRS.some((xattr) => fileHasXattr(fd, xattr))) {
          closeSync(fd);
          continue;
        }
        if (!stat.isFile()) throw this.#refuse(name, "is not a regular file");
        if (stat.size !== sizeBytes)
          throw this.#refuse(name, `has ${stat.size} bytes, ${sizeBytes} when it was pulled`);
        return fd;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
    throw this.#refuse(name, "is missing");
  }

  /** The layer cannot be rebuilt because of this file. */
  #refuse(name: ByteString, reason: string): SealrootError {
    return damagedLayer(this.#layerId, name, reason);
  }

  #openIn({ path, directoryFd, digests }: BodyDirectory, name: ByteString): number | undefined {
    const plain = plainName(name);
    const digest = digests?.get(plain);
    if (digests !== undefined && digest === undefined) return undefined;
    const inside = digest === undefined ? bytesOf(plain) : Buffer.from(`${digest.slice(0, 2)}/${digest.slice(2)}`);
    try {
      return openBeneath(directoryFd, Buffer.from(inside));
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      const reasons = { ELOOP: "is reached through a symbolic link", EXDEV: "is outside the layer" };
      for (const [errno, reason] of Object.entries(reasons))
        if (hasErrno(error, errno)) throw this.#refuse(name, reason);
      const failure = asSealrootError(error, `Cannot read layer ${this.#layerId}: ${displayText(name)}`, { path });
      if (failure.code !== "no-access") throw failure;
      throw new SealrootError(
        "no-access",
        failure.message,
        { path, hint: "run it as root, or in podman unshare" },
        error,
      );
    }
  }

  [Symbol.dispose](): void {
    for (const { directoryFd } of this.#directories.splice(0)) closeSync(directoryFd);
  }
}

/** The refusal of a layer because of one file. */
export function damagedLayer(layerId: string, name: ByteString, reason: string): SealrootError {
  const shown = displayText(name);
  return corrupt(`Cannot rebuild layer ${layerId}: ${shown} ${reason}`, {
    path: shown,
    hint: "remove the image from the store and pull it again with podman",
  });
}

/** `/usr/x`, `./usr/x` and `usr/x` are one file; the kernel judges other odd names. */
function plainName(name: ByteString): ByteString {
  return name.replace(/^(?:\.?\/)+/, "") as ByteString;
}

async function openDirectory({ store, layer }: FoundLayer): Promise<BodyDirectory> {
  const path = store.diffPath(layer.id);
  const digests = (await layerFormat(store, layer)) === "composefs" ? await readTocNames(store, layer) : undefined;
  try {
    const directoryFd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    return { path, directoryFd, digests };
  } catch (error) {
    throw asSealrootError(error, `Cannot read layer ${layer.id}`, { path });
  }
}
