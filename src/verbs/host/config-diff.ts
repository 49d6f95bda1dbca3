/** `sealroot config-diff` */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

export const configDiff = command({
  description: `Shows how /etc differs from that of the image that runs: what was added, modified (content, owner, mode, attributes)
and removed on this host. An update keeps these. Writes nothing.`,
  reportsJson: true,
  examples: ["sealroot config-diff", "sealroot config-diff --json"],
  async run(invocation) {
    const { configDiff: compare, openHost } = await import("../../host/index.ts");
    const { quotePath } = await import("../../tree/index.ts");
    const { displayText } = await import("../../bytes/index.ts");
    using opened = openHost();
    if (opened === undefined) {
      throw new SealrootError("unsupported", "Cannot compare /etc: this system is not deployed via bootc");
    }
    const { added, modified, removed } = await compare(opened.places, "/etc", invocation.events);
    if (invocation.json) {
      const [addedPaths, modifiedPaths, removedPaths] = [added, modified, removed].map((paths) =>
        paths.map(displayText),
      );
      invocation.output.json({ added: addedPaths, modified: modifiedPaths, removed: removedPaths });
      return;
    }
    for (const path of added) invocation.output.line(`Added ${quotePath(path)}`);
    for (const path of modified) invocation.output.line(`Modified ${quotePath(path)}`);
    for (const path of removed) invocation.output.line(`Removed ${quotePath(path)}`);
  },
});
