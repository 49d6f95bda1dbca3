/** Contents of a first state as plain files of the building host, for the disk. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { type DirectoryNode, type FileContent, walkTree } from "../tree/index.ts";

/**
 * Writes every content of the tree into `directory`, equal objects only once.
 *
 * @param copyObject copies the data of an object, without verity metadata, into a new file
 * @returns gives the file of each content
 * @throws SealrootError `corrupt` for a file whose content is not known
 */
export function writeStateFiles(
  state: DirectoryNode,
  directory: string,
  copyObject: (objectId: string, path: string) => void,
): (content: FileContent) => string {
  const files = new Map<FileContent, string>();
  const copies = new Map<string, string>();
  for (const { node, path } of walkTree(state)) {
    if (node.kind !== "file" || files.has(node.content)) continue;
    const { content } = node;
    const objectId = content.type === "external" ? content.objectId : undefined;
    if (content.type === "external" && objectId === undefined) {
      throw new SealrootError("corrupt", `Cannot write ${path}: its content is not known`, { path });
    }
    const known = objectId === undefined ? undefined : copies.get(objectId);
    const file = known ?? join(directory, `state-${files.size}`);
    if (content.type === "inline") writeFileSync(file, content.bytes, { flag: "wx" });
    else if (objectId !== undefined && known === undefined) {
      copyObject(objectId, file);
      copies.set(objectId, file);
    }
    files.set(content, file);
  }
  return (content) => {
    const file = files.get(content);
    if (file === undefined) throw new Error("unreachable: every content of the state was written");
    return file;
  };
}
