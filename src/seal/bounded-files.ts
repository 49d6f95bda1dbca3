/** What seal reads of an image into memory is bounded: a few kilobytes of an image can unpack to any amount. */
import { SealrootError } from "../errors/index.ts";
import { type DirectoryNode, TreeFiles } from "../tree/index.ts";
import type { UnpackBudget } from "./unpack-budget.ts";

/** A file that is read whole: kernel, initramfs, boot loader, a program or library. */
export const FILE_MAX_BYTES = 512 * 1024 * 1024;

/** An image's files, each bounded, and all of them drawn from a budget. */
export class BoundedFiles extends TreeFiles {
  readonly #budget: UnpackBudget;

  constructor(root: DirectoryNode, readObject: (objectId: string) => Uint8Array, budget: UnpackBudget) {
    super(root, readObject);
    this.#budget = budget;
  }

  /** @throws SealrootError `unsupported` for a file over {@link FILE_MAX_BYTES}, and beyond the budget */
  override read(path: string): Uint8Array {
    const node = this.resolve(path)?.node;
    if (node?.kind === "file") {
      const sizeBytes = node.content.type === "inline" ? node.content.bytes.length : node.content.sizeBytes;
      if (sizeBytes > FILE_MAX_BYTES) throw tooLarge(path, sizeBytes);
      this.#budget.take(path, sizeBytes);
    }
    return super.read(path);
  }
}

function tooLarge(path: string, sizeBytes: number): SealrootError {
  const what = `Cannot read ${path} of the image: it has ${sizeBytes} bytes, over ${FILE_MAX_BYTES}`;
  return new SealrootError("unsupported", what, {
    path,
    expected: `at most ${FILE_MAX_BYTES} bytes`,
    actual: `${sizeBytes} bytes`,
  });
}
