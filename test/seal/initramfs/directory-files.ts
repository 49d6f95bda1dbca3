/** An extracted image as seal sees it. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { ImageFiles } from "../../../src/tree/index.ts";
import { newDirectory, newMetadata, type TreeNode } from "../../../src/tree/index.ts";

/**
 * The files below a directory, links followed inside it.
 * @param replaced contents given instead of what is there, by real path; undefined hides the file
 */
export function filesOfDirectory(
  root: string,
  replaced: ReadonlyMap<string, string | undefined> = new Map(),
): ImageFiles {
  const realPath = (path: string): string | undefined => {
    const pending = path.split("/").reverse();
    let at: string[] = [];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at.pop();
        continue;
      }
      const here = join(root, ...at, name);
      const stat = lstatSync(here, { throwIfNoEntry: false });
      if (stat === undefined) return undefined;
      if (!stat.isSymbolicLink()) {
        at.push(name);
        continue;
      }
      const target = readlinkSync(here);
      if (target.startsWith("/")) at = [];
      pending.push(...target.split("/").reverse());
    }
    return `/${at.join("/")}`;
  };
  const read = (path: string) => {
    const content = replaced.get(path);
    return content === undefined ? readFileSync(join(root, path)) : Buffer.from(content);
  };
  return {
    resolve: (path) => {
      const real = replaced.get(path) === undefined ? realPath(path) : path;
      if (real === undefined || (replaced.has(real) && replaced.get(real) === undefined)) return undefined;
      const isDirectory = replaced.get(real) === undefined && lstatSync(join(root, real)).isDirectory();
      const content = { type: "external", sizeBytes: 0, objectId: undefined } as const;
      const node: TreeNode = isDirectory ? newDirectory() : { kind: "file", metadata: newMetadata(), content };
      return { path: real, node };
    },
    read: async (path) => read(realPath(path) ?? path),
    list: (path) => {
      const real = realPath(path);
      return real === undefined ? [] : readdirSync(join(root, real)).sort();
    },
  };
}
