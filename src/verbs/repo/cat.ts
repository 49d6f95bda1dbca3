/** `sealroot repo cat NAME`. */
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoCat = command({
  description: "Writes the content of a stream, such as the tar of a layer, to standard output.",
  arguments: [{ name: "NAME", summary: "a stream's content id, or refs/ and a reference's name" }],
  options: REPOSITORY_OPTIONS,
  examples: ["sealroot repo cat --repo R oci-layer-sha256:4bf5… > layer.tar", "sealroot repo cat refs/oci/debian"],
  async run(invocation) {
    const { streamContent } = await import("../../repository/index.ts");
    using repository = await openSelectedRepository(invocation);
    const { objectId } = repository.streams.resolve(invocation.argument("NAME"));
    for await (const piece of streamContent(repository, objectId)) await invocation.output.bytes(piece);
  },
});
