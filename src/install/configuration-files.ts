/** Where the drop-ins of an installation configuration are read from: a directory of this machine, or an image. */
import { lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { displayText } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { namesInDirectory } from "../platform/index.ts";
import type { TreeFiles } from "../tree/index.ts";

/** A place with folders of drop-ins; paths are relative to its root. */
export interface ConfigurationFiles {
  /** Names in a folder; none if it does not exist. */
  names(folder: string): string[];
  /** `mask`: a symbolic link to /dev/null, which removes a name (systemd's convention for drop-ins). */
  kindOf(path: string): "file" | "mask" | "other";
  read(path: string): string;
  /** Its name in messages. */
  shown(path: string): string;
}

const MASK_TARGET = "/dev/null";

/** Files below a directory of this machine. */
export function filesOfDirectory(root: string): ConfigurationFiles {
  return {
    names: (folder) => namesInDirectory(join(root, folder), "Cannot read the installation configuration"),
    kindOf: (path) => {
      const absolute = join(root, path);
      if (lstatSync(absolute).isSymbolicLink() && readlinkSync(absolute) === MASK_TARGET) return "mask";
      return statSync(absolute, { throwIfNoEntry: false })?.isFile() === true ? "file" : "other";
    },
    read: (path) => readFileSync(join(root, path), "utf8"),
    shown: (path) => join(root, path),
  };
}

/** Files of an image, links followed inside it. */
export function filesOfImage(files: TreeFiles): ConfigurationFiles {
  return {
    names: (folder) => {
      const found = files.resolve(`/${folder}`);
      if (found === undefined || found.node.kind === "directory") return files.list(`/${folder}`);
      throw corrupt(`Cannot read the installation configuration: /${folder} is not a directory`, {
        path: `/${folder}`,
      });
    },
    kindOf: (path) => {
      if (files.resolve(`/${path}`)?.node.kind === "file") return "file";
      const slash = path.lastIndexOf("/");
      const folder = files.resolve(`/${path.slice(0, slash)}`)?.node;
      if (folder?.kind !== "directory") return "other";
      const node = [...folder.entries].find(([name]) => displayText(name) === path.slice(slash + 1))?.[1];
      return node?.kind === "symlink" && displayText(node.target) === MASK_TARGET ? "mask" : "other";
    },
    read: (path) => Buffer.from(files.read(`/${path}`)).toString("utf8"),
    shown: (path) => `/${path}`,
  };
}
