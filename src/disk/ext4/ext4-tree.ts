/** Files of an ext4 file system by their path, without following links. */
import type { ByteString } from "../../bytes/index.ts";
import type { Ext4File, Ext4Reader } from "./ext4-reader.ts";

export class Ext4Tree {
  readonly reader: Ext4Reader;
  /** Of directories that were listed, by inode. */
  readonly #lists = new Map<number, ReadonlyMap<ByteString, number>>();

  constructor(reader: Ext4Reader) {
    this.reader = reader;
  }

  /** The names in a directory. */
  names(directory: Ext4File): ReadonlyMap<ByteString, number> {
    const known = this.#lists.get(directory.inode);
    if (known !== undefined) return known;
    const list = this.reader.list(directory);
    this.#lists.set(directory.inode, list);
    return list;
  }

  /** What a directory has under this name, or undefined. */
  child(directory: Ext4File, name: ByteString): Ext4File | undefined {
    const inode = this.names(directory).get(name);
    return inode === undefined ? undefined : this.reader.file(inode);
  }

  /** @param path with or without a leading slash; a link on the way is not a directory */
  find(path: ByteString): Ext4File | undefined {
    let file: Ext4File | undefined = this.reader.root();
    for (const name of path.split("/") as ByteString[]) {
      if (name === "") continue;
      file = file?.kind === "directory" ? this.child(file, name) : undefined;
    }
    return file;
  }
}
