/** `sealroot repo import-image REF`. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoImportImage = command({
  description: `Imports an EROFS image from standard input into the repository, names it, and prints its id. It must be
a flawless composefs image of any version, and its objects must be in the repository.`,
  arguments: [{ name: "REF", summary: "the reference to make, images/refs/REF" }],
  options: REPOSITORY_OPTIONS,
  reportsJson: true,
  examples: ["sealroot repo import-image --repo R my-system < image.erofs"],
  async run(invocation) {
    const [{ IMAGE_MAX_BYTES }, { storeForeignImage }] = await Promise.all([
      import("../../erofs/index.ts"),
      import("../../repository/index.ts"),
    ]);
    using repository = await openSelectedRepository(invocation);
    const image = storeForeignImage(repository, await standardInput(IMAGE_MAX_BYTES), invocation.argument("REF"));
    const { algorithm } = repository;
    const report = { imageId: image.objectId, algorithm, name: invocation.argument("REF") };
    if (invocation.json) invocation.output.json(report);
    else invocation.output.line(`${algorithm}:${image.objectId}`);
  },
});

async function standardInput(maxBytes: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of process.stdin) {
    const bytes = Buffer.from(part);
    sizeBytes += bytes.length;
    if (sizeBytes > maxBytes) {
      throw new SealrootError("unsupported", `Cannot import the image: it has more than ${maxBytes} bytes`);
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
