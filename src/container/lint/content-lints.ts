/** Lints about files that a build left, and about names. */
import { type ByteString, byteStringOfText } from "../../bytes/index.ts";
import { type DirectoryNode, joinPath, lookupPath, sortedNames, walkTree } from "../../tree/index.ts";
import type { RootDirectory } from "../root-directory.ts";
import { escapedName, isUtf8, itemList, quotedPath } from "./items.ts";
import type { Lint } from "./lint.ts";

/** podman and buildah put a resolver there while they build, and may leave the directories. */
const ENGINE_FILES = ["/run/systemd/resolve/stub-resolv.conf"].map(byteStringOfText);

export const CONTENT_LINTS: readonly Lint[] = [
  {
    name: "nonempty-run-tmp",
    type: "warning",
    description: `/run and /tmp are new at every boot: what a build left there is never seen, and makes the image larger.`,
    check: (context) => {
      const found = ["/run", "/tmp"].flatMap((path) => pathsBelow(context.directory, byteStringOfText(path)));
      const left = withoutEngineFiles(new Set(found));
      return itemList("Found files in /run or /tmp", [...left].sort().map(quotedPath), context) || undefined;
    },
  },
  {
    name: "utf8",
    type: "fatal",
    isRecursive: true,
    description: "Names of files and targets of links must be UTF-8: bootc's ostree backend can store no others.",
    check: ({ directory }) => nonUtf8(directory),
  },
  {
    name: "var-log",
    type: "warning",
    description: `Logs of a build do not belong into an image: each machine has its own in /var, they differ from build to build,
and may tell what nobody should read.`,
    check: (context) => {
      const log = lookupPath(context.directory.root, byteStringOfText("/var/log"));
      if (log?.kind !== "directory") return undefined;
      const files = [...walkTree(log, byteStringOfText("/var/log"))].filter(
        ({ node }) => node.kind === "file" && context.directory.factsOf(node).sizeBytes > 0,
      );
      return (
        itemList(
          "Found logs that are not empty",
          files.map(({ path }) => quotedPath(path)),
          context,
        ) || undefined
      );
    },
  },
];

/** Everything below a directory that is on the image's own file system and is no mount point. */
function pathsBelow(directory: RootDirectory, path: ByteString): ByteString[] {
  const node = lookupPath(directory.root, path);
  if (node?.kind !== "directory" || directory.isMounted(node, path)) return [];
  const found: ByteString[] = [];
  const pending: { node: DirectoryNode; path: ByteString }[] = [{ node, path }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of sortedNames(next.node)) {
      const child = next.node.entries.get(name);
      const childPath = joinPath(next.path, name);
      if (child === undefined || directory.isMounted(child, childPath)) continue;
      found.push(childPath);
      if (child.kind === "directory") pending.push({ node: child, path: childPath });
    }
  }
  return found;
}

/** A parent of such a file goes with it, unless something else is in it. */
function withoutEngineFiles(paths: Set<ByteString>): ReadonlySet<ByteString> {
  for (const file of ENGINE_FILES) {
    paths.delete(file);
    for (let parent = parentOf(file); parent !== "/run"; parent = parentOf(parent)) {
      if ([...paths].some((path) => path.startsWith(`${parent}/`))) break;
      paths.delete(parent);
    }
  }
  return paths;
}

function parentOf(path: ByteString): ByteString {
  return (path.slice(0, path.lastIndexOf("/")) || "/") as ByteString;
}

/** The first name or target of a link that is not UTF-8, as bootc says it. */
function nonUtf8(directory: RootDirectory): string | undefined {
  const pending: { node: DirectoryNode; path: ByteString }[] = [{ node: directory.root, path: "/" as ByteString }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of sortedNames(next.node)) {
      const child = next.node.entries.get(name);
      const path = joinPath(next.path, name);
      if (!isUtf8(name)) return `${quotedPath(next.path)}: Found non-utf8 filename ${escapedName(name)}`;
      if (child?.kind === "symlink" && !isUtf8(child.target))
        return `${quotedPath(path)}: Found non-utf8 symlink target`;
      if (child?.kind === "directory" && !directory.isMounted(child, path)) pending.push({ node: child, path });
    }
  }
  return undefined;
}
