/** `sealroot repo cat-file IMAGE PATH`. */
import { byteStringOfText } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { DirectoryNode, FileContent } from "../../tree/index.ts";
import { command } from "../shared/command.ts";
import { IMAGE_ARGUMENT, IMAGE_OPTIONS, imageArgument } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoCatFile = command({
  description: `Writes the bytes of one file of an image to standard output. Nothing is mounted. Symbolic links are
followed inside the image. The content is compared with its digest after the last byte: exit code 1 means that what was
written is not what the image says.`,
  arguments: [IMAGE_ARGUMENT, { name: "PATH", summary: "of the file in the image" }],
  options: [...IMAGE_OPTIONS, ...REPOSITORY_OPTIONS],
  examples: ["sealroot repo cat-file --repo R my-system /usr/lib/os-release"],
  async run(invocation) {
    const { verifiedChunks } = await import("../../objects/index.ts");
    const { readStoredTree } = await import("../../repository/index.ts");
    using repository = await openSelectedRepository(invocation);
    const { root } = readStoredTree(repository, await imageArgument(invocation, repository));
    const content = await fileContent(root, invocation.argument("PATH"));
    if (content.type === "inline") {
      await invocation.output.bytes(content.bytes);
      return;
    }
    if (content.objectId === undefined)
      throw cannotRead(invocation.argument("PATH"), "corrupt", "its content is not known");
    using object = repository.objects.open(content.objectId);
    for (const chunk of verifiedChunks(object, repository.objects.settings)) await invocation.output.bytes(chunk);
  },
});

async function fileContent(root: DirectoryNode, path: string): Promise<FileContent> {
  const { resolvePath } = await import("../../tree/index.ts");
  const node = resolvePath(root, byteStringOfText(path))?.node;
  if (node === undefined) throw cannotRead(path, "not-found", "there is no such file");
  if (node.kind !== "file") throw cannotRead(path, "unsupported", `it is a ${node.kind}, not a regular file`);
  return node.content;
}

function cannotRead(path: string, code: "not-found" | "unsupported" | "corrupt", state: string): SealrootError {
  return new SealrootError(code, `Cannot read ${path} in the image: ${state}`, { path });
}
