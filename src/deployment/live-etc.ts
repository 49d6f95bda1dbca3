/** The live `/etc`, which programs may change while it is read. */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { type ByteString, byteStringOfText, bytesOf, displayText } from "../bytes/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { StepReporter } from "../events/index.ts";
import { openBeneath } from "../platform/index.ts";
import { scanDirectory } from "../repository/index.ts";
import { type DirectoryNode, type FileContent, joinPath, quotePath } from "../tree/index.ts";
import { type VerityAlgorithm, VerityHasher, verityDigest } from "../verity/index.ts";
import { diffEtc, type EtcDiff } from "./etc-diff.ts";
import { asCopied, withoutUpdatedStamp } from "./etc-tree.ts";

export interface EtcScanOptions {
  /** Of the digests in the trees that it is compared with. */
  readonly algorithm: VerityAlgorithm;
  /** `/etc` of the image that comes next; absent: no conflicts are looked for. */
  readonly next?: DirectoryNode;
  readonly reporter?: StepReporter;
}

export interface ScannedEtc {
  readonly diff: EtcDiff;
  /** The live tree: contents of more than 64 bytes by their digest only. */
  readonly current: DirectoryNode;
}

const CHUNK_BYTES = 1 << 20;

/**
 * Reads the live `/etc` and compares it with the image's. Every file is read and hashed; what is in it is not kept.
 *
 * @param pristine what {@link etcOfImage} gives for the image that runs
 * @param path the live directory, such as `/etc`
 * @throws SealrootError as scanDirectory() and diffEtc(); `conflict` or `not-found` when files change meanwhile
 */
export async function etcDiffOf(pristine: DirectoryNode, path: string, options: EtcScanOptions): Promise<ScannedEtc> {
  const { algorithm, next, reporter } = options;
  const { root } = await scanDirectory(path, { algorithm, ...(reporter === undefined ? {} : { reporter }) });
  const current = withoutUpdatedStamp(root);
  return { diff: diffEtc(asCopied(pristine, current), current, next), current };
}

/** Copies files out of the live `/etc`, each as it was when it was scanned. */
export class LiveFiles implements Disposable {
  /** Whether a file was found that is not as it was. */
  hasChanged = false;
  readonly #path: string;
  readonly #algorithm: VerityAlgorithm;
  readonly #directoryFd: number;
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES);

  /** @param path the live directory */
  constructor(path: string, algorithm: VerityAlgorithm) {
    this.#path = path;
    this.#algorithm = algorithm;
    try {
      this.#directoryFd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      throw asSealrootError(error, `Cannot read ${path}`, { path });
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#directoryFd);
  }

  /**
   * @param path relative to the directory; no link on the way is followed
   * @param content what was there at the scan
   * @param targetFd an empty file
   * @throws SealrootError `conflict` when something else is there now
   */
  copy(path: ByteString, content: FileContent, targetFd: number): void {
    const expected = content.type === "inline" ? verityDigest(content.bytes, this.#algorithm) : content.objectId;
    if (this.#digestOfCopy(path, targetFd) !== expected) throw this.#changed(path);
  }

  #digestOfCopy(path: ByteString, targetFd: number): string {
    const sourceFd = this.#open(path);
    try {
      const hasher = new VerityHasher(this.#algorithm);
      for (;;) {
        const length = readSync(sourceFd, this.#chunk, 0, CHUNK_BYTES, null);
        if (length === 0) return hasher.hexDigest();
        const bytes = this.#chunk.subarray(0, length);
        hasher.update(bytes);
        for (let at = 0; at < length; ) at += writeSync(targetFd, bytes, at);
      }
    } finally {
      closeSync(sourceFd);
    }
  }

  #open(path: ByteString): number {
    let fd: number;
    try {
      fd = openBeneath(this.#directoryFd, Buffer.from(bytesOf(path)));
    } catch (error) {
      throw this.#changed(path, error);
    }
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    throw this.#changed(path);
  }

  #changed(path: ByteString, cause?: unknown): SealrootError {
    this.hasChanged = true;
    const shown = joinPath(byteStringOfText(this.#path), path);
    const message = `Cannot copy ${quotePath(shown)}: it changed while /etc was merged`;
    return new SealrootError("conflict", message, { path: displayText(shown) }, cause);
  }
}
