/** Which objects there are to check, and whose contents they are. */
import { type ByteString, displayText } from "../../bytes/index.ts";
import { type DirectoryNode, walkTree } from "../../tree/index.ts";

/** The objects of some images, each once, with a path that has it. */
export class ImageObjects {
  readonly #objects = new Map<
    string,
    { readonly sizeBytes: number; readonly path: ByteString; verityOptional: boolean }
  >();

  /** @param verityOptional whether the image may be mounted without fs-verity */
  add(root: DirectoryNode, verityOptional: boolean): void {
    for (const { node, path } of walkTree(root)) {
      if (node.kind !== "file" || node.content.type !== "external" || node.content.objectId === undefined) continue;
      const { objectId, sizeBytes } = node.content;
      const known = this.#objects.get(objectId);
      if (known === undefined) this.#objects.set(objectId, { sizeBytes, path, verityOptional });
      else if (!verityOptional) known.verityOptional = false;
    }
  }

  get isEmpty(): boolean {
    return this.#objects.size === 0;
  }

  list(): { readonly id: string; readonly sizeBytes: number }[] {
    return [...this.#objects].map(([id, { sizeBytes }]) => ({ id, sizeBytes }));
  }

  /** The file that has this content, for messages. */
  pathOf(id: string): string {
    return displayText(this.#objects.get(id)?.path ?? ("" as ByteString));
  }

  isVerityOptional(id: string): boolean {
    return this.#objects.get(id)?.verityOptional ?? false;
  }
}
