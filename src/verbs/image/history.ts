/** `sealroot image history NAME`. */

import { formatSize } from "../../bytes/index.ts";
import type { HistoryEntry } from "../../imagestore/index.ts";
import { command } from "../shared/command.ts";
import { OCI_IMAGE_SUMMARY } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";
import { textTable } from "../shared/table.ts";

/** Longer commands are cut so that a step fits on its line; --json has them whole. */
const COMMAND_LENGTH_MAX = 60;
const NOTHING = "-";

export const imageHistoryCommand = command({
  description: `Shows the steps in which an image was made, the last one first, with the size of each step's layer as it is
fetched.`,
  arguments: [{ name: "NAME", summary: OCI_IMAGE_SUMMARY, holds: "image" }],
  options: REPOSITORY_OPTIONS,
  examples: ["sealroot image history --repo R debian"],
  reportsJson: true,
  async run(invocation) {
    const { findImage, imageHistory } = await import("../../imagestore/index.ts");
    using repository = await openSelectedRepository(invocation);
    const history = imageHistory(await findImage(repository, invocation.argument("NAME"))).toReversed();
    if (invocation.json) invocation.output.json({ history: history.map(report) });
    else {
      const rows = [["CREATED", "SIZE", "CREATED BY"], ...history.map(row)];
      for (const line of textTable(rows, [1])) invocation.output.line(line);
    }
  },
});

function row({ created, createdBy, comment, layer }: HistoryEntry): string[] {
  const command = (createdBy ?? comment ?? NOTHING).replace(/\s+/g, " ");
  const shown = command.length > COMMAND_LENGTH_MAX ? `${command.slice(0, COMMAND_LENGTH_MAX - 1)}…` : command;
  return [created ?? NOTHING, layer === undefined ? NOTHING : formatSize(layer.blobBytes), shown];
}

function report({ created, createdBy, comment, layer }: HistoryEntry) {
  return {
    created: created ?? null,
    createdBy: createdBy ?? null,
    comment: comment ?? null,
    diffId: layer?.diffId ?? null,
    sizeBytes: layer?.blobBytes ?? null,
  };
}
