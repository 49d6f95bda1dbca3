/** `sealroot repo image-objects NAME`. */
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoImageObjects = command({
  description: "Lists the objects that hold an image's files, one a line.",
  arguments: [{ name: "NAME", summary: "an image's id, or the name of a reference", holds: "image" }],
  options: REPOSITORY_OPTIONS,
  reportsJson: true,
  examples: ["sealroot repo image-objects --repo R my-system"],
  async run(invocation) {
    const { listErofsObjects } = await import("../../erofs/index.ts");
    using repository = await openSelectedRepository(invocation);
    const { images, objects, algorithm } = repository;
    const { objectId } = images.resolve(invocation.argument("NAME"));
    const ids = listErofsObjects(objects.read(objectId));
    if (invocation.json) invocation.output.json({ algorithm, objects: [...ids] });
    else for (const id of ids) invocation.output.line(`${algorithm}:${id}`);
  },
});
