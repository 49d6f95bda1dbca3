/** `sealroot repo dump-files IMAGE FILE…`: the output of cfsctl. */
import { type ByteString, byteStringOfText, bytesOf } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import {
  type DirectoryNode,
  dumpPartLines,
  hardLinkCounts,
  lookupPath,
  objectPath,
  splitPath,
  type TreeNode,
} from "../../tree/index.ts";
import { command } from "../shared/command.ts";
import { IMAGE_ARGUMENT, IMAGE_OPTIONS, imageArgument } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

/** One FILE as given, and what is there. */
interface Selected {
  readonly path: ByteString;
  readonly node: TreeNode;
}

export const repoDumpFiles = command({
  description: `Prints files of an image as composefs dump text, directories with all that is below them; or, with
--backing-path-only, where the content of each file is: "PATH inline" for one in the image itself, "PATH ab/cd…" for an
object. Symbolic links are not followed. If one FILE is missing nothing is printed.`,
  arguments: [IMAGE_ARGUMENT, { name: "FILE", summary: "paths in the image", repeat: true, optional: true }],
  options: [
    { flags: "--backing-path-only", summary: "print where contents are instead of dump text" },
    ...IMAGE_OPTIONS,
    ...REPOSITORY_OPTIONS,
  ],
  examples: [
    "sealroot repo dump-files --repo R my-system /etc",
    "sealroot repo dump-files --repo R --backing-path-only my-system /usr/bin/bash",
  ],
  async run(invocation) {
    const { readStoredTree } = await import("../../repository/index.ts");
    using repository = await openSelectedRepository(invocation);
    const { root } = readStoredTree(repository, await imageArgument(invocation, repository));
    const selected = invocation.arguments("FILE").map((path) => select(root, path));
    const lines = invocation.flag("backing-path-only") ? selected.map(backingPathLine) : dumpText(root, selected);
    await invocation.output.bytes(bytesOf(lines.join("") as ByteString));
  },
});

function select(root: DirectoryNode, text: string): Selected {
  const path = byteStringOfText(text);
  const node = lookupPath(root, `/${splitPath(path).join("/")}` as ByteString);
  if (node !== undefined) return { path, node };
  throw new SealrootError("not-found", `Cannot find ${text} in the image: there is no such path`, {
    path: text,
    hint: "symbolic links are not followed here",
  });
}

function dumpText(root: DirectoryNode, selected: readonly Selected[]): string[] {
  const counts = hardLinkCounts(root);
  return selected.flatMap((part) => [...dumpPartLines(part, counts)]);
}

/** A file without content is in the image too; a directory is neither, and the reference tool refuses it. */
function backingPathLine({ path, node }: Selected): string {
  if (node.kind === "directory") {
    const shown = Buffer.from(bytesOf(path)).toString();
    throw new SealrootError("unsupported", `Cannot print the backing path of ${shown}: it is a directory`, {
      path: shown,
    });
  }
  if (node.kind !== "file" || node.content.type === "inline") return `${path} inline\n`;
  const { objectId, backingPath } = node.content;
  return `${path} ${backingPath ?? (objectId === undefined ? "-" : objectPath(objectId))}\n`;
}
