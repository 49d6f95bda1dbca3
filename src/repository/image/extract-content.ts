/** The content of an extracted file. */

import { closeSync, constants, openSync } from "node:fs";
import { corrupt } from "../../errors/index.ts";
import { CLONE_MIN_BYTES, type ObjectStore, verifiedChunks } from "../../objects/index.ts";
import { cloneBlocks, writeWhole } from "../../platform/index.ts";
import type { FileNode } from "../../tree/index.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
/** Until the metadata are set. */
const PRIVATE_MODE = 0o600;

/** Writes the content of a file that is not in the repository to `fd`; false for one that is. */
export type OtherContents = (node: FileNode, fd: number) => boolean;

/** Writes files from inline bytes and objects; if the file system can, they share the objects' blocks. */
export class ContentWriter {
  readonly #objects: ObjectStore;
  readonly #elsewhere: OtherContents | undefined;
  #canClone = true;

  constructor(objects: ObjectStore, elsewhere?: OtherContents) {
    this.#objects = objects;
    this.#elsewhere = elsewhere;
  }

  /** Makes the file. @throws SealrootError `corrupt`, `not-found`, `untrusted`; Node's errors for the file itself */
  write(path: Buffer, node: FileNode): void {
    const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_MODE);
    try {
      if (this.#elsewhere?.(node, fd) === true) return;
      if (node.content.type === "inline") writeWhole(fd, node.content.bytes);
      else this.#writeObject(fd, node.content);
    } finally {
      closeSync(fd);
    }
  }

  #writeObject(fd: number, content: Extract<FileNode["content"], { readonly type: "external" }>): void {
    const { objectId, sizeBytes } = content;
    if (objectId === undefined) throw corrupt("the image does not say what its content is");
    using object = this.#objects.open(objectId);
    if (object.sizeBytes !== sizeBytes) {
      throw corrupt(`the image says ${sizeBytes} bytes, the object ${objectId} has ${object.sizeBytes}`);
    }
    const cloned = sizeBytes >= CLONE_MIN_BYTES && this.#clone(object.fd, fd);
    // Shared blocks are read too: nobody has checked them yet.
    for (const chunk of verifiedChunks(object, this.#objects.settings)) if (!cloned) writeWhole(fd, chunk);
  }

  #clone(sourceFd: number, targetFd: number): boolean {
    this.#canClone &&= cloneBlocks(sourceFd, targetFd);
    return this.#canClone;
  }
}
