/** The image of a deployment, read out of the repository of a disk that is not mounted. */
import { byteStringOfText } from "../../bytes/index.ts";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import type { Ext4Tree } from "../../disk/index.ts";
import { readErofs } from "../../erofs/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import { type ContentReader, contentReader, type DirectoryNode, objectPath, TreeFiles } from "../../tree/index.ts";
import { verityDigest } from "../../verity/index.ts";

export interface DiskImage {
  readonly version: 0 | 1 | 2;
  readonly root: DirectoryNode;
  /** Gives contents that have their digest. */
  readonly readContent: ContentReader;
  /** Its files, with contents that have their digest. */
  readonly files: TreeFiles;
}

/** An image of a million files has 200 MB. */
const IMAGE_MAX_BYTES = 1 << 30;
/** What is read of an image: configuration files. */
const OBJECT_MAX_BYTES = 1 << 26;

/**
 * Reads the image with this id. Its bytes and those of its files must have their digests.
 *
 * @throws SealrootError `not-found` when it is not in the repository; `corrupt`
 */
export function readDiskImage(disk: Ext4Tree, id: string): DiskImage {
  const path = `${REPOSITORY_PATH}/images/${id}`;
  if (disk.find(byteStringOfText(path)) === undefined) {
    throw new SealrootError("not-found", `Cannot read the deployment: its image ${id} is not in the repository`, {
      path,
    });
  }
  const { root, version } = readErofs(readObject(disk, id, IMAGE_MAX_BYTES));
  const read = (objectId: string) => readObject(disk, objectId, OBJECT_MAX_BYTES);
  return { version, root, readContent: contentReader(read), files: new TreeFiles(root, read) };
}

function readObject(disk: Ext4Tree, id: string, limitBytes: number): Uint8Array {
  const path = `${REPOSITORY_PATH}/objects/${objectPath(id)}`;
  const file = disk.find(byteStringOfText(path));
  if (file?.kind !== "file")
    throw new SealrootError("not-found", `Cannot read the object ${id}: it is not on the disk`, { path });
  const bytes = disk.reader.bytes(file, limitBytes);
  const actual = verityDigest(bytes, id.length === 128 ? "sha512" : "sha256");
  if (actual === id) return bytes;
  throw corrupt(`Cannot read the object ${id}: its content has another digest`, { path, expected: id, actual });
}
