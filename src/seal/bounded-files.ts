/** What seal takes of an image into memory is bounded: a few kilobytes of an image can be made to unpack to anything. */
import { SealrootError } from "../errors/index.ts";
import { TreeFiles } from "../tree/index.ts";

/** A file that is read whole: kernel, initramfs, boot loader, a program or library. */
export const FILE_MAX_BYTES = 512 * 1024 * 1024;

/**
 * All of them together. What modules and an initramfs decompress to has limits of its own
 * (`MODULES_MAX_BYTES`, `INITRAMFS_UNPACKED_MAX_BYTES`).
 */
export const FILES_MAX_BYTES = 1024 * 1024 * 1024;

/** An image's files, of which no more is read than {@link FILES_MAX_BYTES}. */
export class BoundedFiles extends TreeFiles {
  #readBytes = 0;

  /** @throws SealrootError `unsupported` for a file over {@link FILE_MAX_BYTES}, and beyond {@link FILES_MAX_BYTES} */
  override read(path: string): Uint8Array {
    const node = this.resolve(path)?.node;
    if (node?.kind === "file") {
      const sizeBytes = node.content.type === "inline" ? node.content.bytes.length : node.content.sizeBytes;
      this.#readBytes += sizeBytes;
      if (sizeBytes > FILE_MAX_BYTES) throw tooLarge(path, "it has", sizeBytes, FILE_MAX_BYTES);
      if (this.#readBytes > FILES_MAX_BYTES) {
        throw tooLarge(path, "with what was read before, it makes", this.#readBytes, FILES_MAX_BYTES);
      }
    }
    return super.read(path);
  }
}

function tooLarge(path: string, problem: string, sizeBytes: number, limitBytes: number): SealrootError {
  const what = `Cannot read ${path} of the image: ${problem} ${sizeBytes} bytes, over ${limitBytes}`;
  return new SealrootError("unsupported", what, {
    path,
    expected: `at most ${limitBytes} bytes`,
    actual: `${sizeBytes} bytes`,
  });
}
