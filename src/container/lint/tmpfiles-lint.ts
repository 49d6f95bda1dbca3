/** The lint about content of `/var` that later images cannot bring (tmpfiles.d(5)). */
import { type ByteString, byteString, byteStringOfText, bytesOf } from "../../bytes/index.ts";
import {
  hasFileAt,
  joinPath,
  lookupPath,
  type Metadata,
  namesAt,
  sortedNames,
  type TreeNode,
} from "../../tree/index.ts";
import type { RootDirectory } from "../root-directory.ts";
import { itemList, quotedPath } from "./items.ts";
import type { Lint } from "./lint.ts";

const FOLDERS = ["/usr/lib/tmpfiles.d", "/etc/tmpfiles.d"];

export const TMPFILES_LINT: Lint = {
  name: "var-tmpfiles",
  type: "warning",
  rootType: "running",
  description: `What an image has in /var reaches a machine only when it is installed, never with an update. Directories and links
there should come from tmpfiles.d, which makes them at every boot, and other files should not be there.`,
  check: (context) => {
    const { directory } = context;
    const declared = declaredPaths(directory);
    const names = accountNames(directory);
    const [lines, others]: [string[], string[]] = [[], []];
    for (const { path, node } of below(directory, byteStringOfText("/var"))) {
      if (declared.has(path)) continue;
      const line = tmpfilesLine(path, node, names);
      if (line === undefined) others.push(quotedPath(path.slice(1) as ByteString));
      else lines.push(line);
    }
    const lists = [
      itemList("Found content of /var that no tmpfiles.d declares", lines.sort(), context),
      itemList("Found files in /var that are neither directories nor links", others.sort(), context),
    ];
    return lists.join("") || undefined;
  },
};

function* below(directory: RootDirectory, path: ByteString): Generator<{ path: ByteString; node: TreeNode }> {
  const node = lookupPath(directory.root, path);
  if (node?.kind !== "directory") return;
  for (const name of sortedNames(node)) {
    const child = node.entries.get(name);
    const childPath = joinPath(path, name);
    if (child === undefined) continue;
    yield { path: childPath, node: child };
    if (child.kind === "directory" && !directory.isMounted(child, childPath)) yield* below(directory, childPath);
  }
}

/** The paths that lines declare, with the links on the way to them followed: `/root/.ssh` may be `/var/roothome/.ssh`. */
function declaredPaths(directory: RootDirectory): ReadonlySet<ByteString> {
  const declared = new Set<ByteString>();
  for (const folder of FOLDERS) {
    for (const name of namesAt(directory.files, folder).filter((candidate) => candidate.endsWith(".conf"))) {
      if (!hasFileAt(directory.files, `${folder}/${name}`)) continue;
      const text = byteString(directory.files.read(`${folder}/${name}`));
      for (const line of text.split("\n")) {
        const path = declaredPath(line);
        if (path === undefined) continue;
        const slash = path.lastIndexOf("/");
        const parent = directory.files.resolve(
          Buffer.from(bytesOf(path.slice(0, slash) as ByteString)).toString() || "/",
        );
        if (parent !== undefined) {
          declared.add(joinPath(byteStringOfText(parent.path), path.slice(slash + 1) as ByteString));
        }
      }
    }
  }
  return declared;
}

/** The second word of a line, which may be quoted and hold escapes. */
function declaredPath(line: string): ByteString | undefined {
  if (/^\s*(?:#|$)/.test(line)) return undefined;
  const [, quoted, plain] = /^\s*\S+\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(line) ?? [];
  const path = (quoted ?? plain)?.replace(
    /\\(?:x([0-9a-fA-F]{2})|(.))/g,
    (_, hex: string | undefined, letter: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return { n: "\n", t: "\t", r: "\r" }[letter] ?? letter;
    },
  );
  return path?.startsWith("/") === true ? (path as ByteString) : undefined;
}

interface AccountNames {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

function accountNames({ files }: RootDirectory): AccountNames {
  const read = (path: string) => {
    if (!hasFileAt(files, path)) return new Map<number, string>();
    const lines = Buffer.from(files.read(path)).toString("utf8").split("\n").filter(Boolean);
    return new Map(lines.map((line) => line.split(":")).map(([name = "", , id = ""]) => [Number(id), name]));
  };
  return { users: read("/etc/passwd"), groups: read("/etc/group") };
}

/** The line that would declare it; undefined for what such a line should not make. */
function tmpfilesLine(path: ByteString, node: TreeNode, { users, groups }: AccountNames): string | undefined {
  const owner = ({ uid, gid }: Metadata) => `${users.get(uid) ?? uid} ${groups.get(gid) ?? gid}`;
  if (node.kind === "directory") {
    const mode = node.metadata.mode.toString(8).padStart(4, "0");
    return `d ${escapedPath(path)} ${mode} ${owner(node.metadata)} - -`;
  }
  return node.kind === "symlink" ? `L ${escapedPath(path)} - - - - ${escapedPath(node.target)}` : undefined;
}

/** As tmpfiles.d has it: printable ASCII as it is, other bytes escaped. */
function escapedPath(path: ByteString): string {
  const short: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r" };
  return path.replaceAll(
    /[^!-[\]-~]/g,
    (byte) => short[byte] ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
