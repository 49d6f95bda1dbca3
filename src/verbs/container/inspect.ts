/** `sealroot container inspect` */
import { command } from "../shared/command.ts";
import { ROOTFS_OPTION } from "./rootfs-option.ts";

export const containerInspect = command({
  description: `Shows the kernel of an image and its own kernel arguments, from its root file system: in a container build, /.
What bootc prints, key for key.`,
  options: [
    ROOTFS_OPTION,
    { flags: "--json", summary: "the same as --format json", excludes: ["format"] },
    {
      flags: "--format <FORMAT>",
      summary: "humanreadable (default), yaml or json",
      choices: ["humanreadable", "yaml", "json"],
    },
  ],
  examples: ["sealroot container inspect --rootfs rootfs --json"],
  async run(invocation) {
    const { inspectionRows, inspectRoot, RootDirectory } = await import("../../container/index.ts");
    const inspection = await inspectRoot(new RootDirectory(invocation.option("rootfs") ?? "/"));
    const format = invocation.json ? "json" : (invocation.option("format") ?? "humanreadable");
    if (format === "json") invocation.output.json(inspection);
    else if (format === "yaml") {
      const { stringify } = await import("yaml");
      await invocation.output.bytes(Buffer.from(stringify(inspection, { lineWidth: 0 })));
    } else for (const row of inspectionRows(inspection)) invocation.output.line(row);
  },
});
