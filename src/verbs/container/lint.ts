/** `sealroot container lint` */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";
import { ROOTFS_OPTION } from "./rootfs-option.ts";

export const containerLint = command({
  description: `Looks for what would keep an image from being installed, sealed or booted, and for what a build left by mistake. Called
at the end of a Containerfile: it fails when something is found that is fatal.

The lints are bootc's, by its names; those that begin with seal- are about what seal would refuse.`,
  options: [
    ROOTFS_OPTION,
    { flags: "--fatal-warnings", summary: "fail at warnings too" },
    { flags: "--list", summary: "show the lints instead of running them, as YAML" },
    { flags: "--skip <NAME>", summary: "leave out a lint (may be given again)", repeat: true },
    { flags: "--no-truncate", summary: "show all files that a lint finds, not only the first five" },
  ],
  reportsJson: true,
  examples: ["sealroot container lint --rootfs rootfs --fatal-warnings", "sealroot container lint --skip var-log"],
  async run(invocation) {
    const { backendOf, ITEMS_MAX, LINTS, RootDirectory, runLints } = await import("../../container/index.ts");
    const { output } = invocation;
    if (invocation.flag("list")) {
      const { stringify } = await import("yaml");
      const list = LINTS.map(({ name, type, description, rootType }) => ({
        name,
        type,
        description: description.replaceAll("\n", " "),
        ...(rootType === undefined ? {} : { "root-type": rootType === "running" ? "Running" : "Alternative" }),
      }));
      await output.bytes(Buffer.from(stringify(list, { lineWidth: 0 })));
      return;
    }
    const skip = invocation.list("skip");
    // A Containerfile may name lints of a newer bootc.
    const unknown = skip.filter((name) => !LINTS.some((lint) => lint.name === name));
    if (unknown.length > 0)
      output.remark(`There is no lint ${unknown.join(" and no lint ")}: nothing is skipped for that`);
    const rootfs = invocation.option("rootfs") ?? "/";
    const directory = new RootDirectory(rootfs);
    const rootType = directory.path === "/" ? "running" : "alternative";
    const itemsMax = invocation.negated("truncate") ? undefined : ITEMS_MAX;
    const context = { directory, rootType, backend: backendOf(directory), itemsMax } as const;
    const { findings, passed, skipped } = await runLints(LINTS, context, new Set(skip));
    const count = (type: "fatal" | "warning") => findings.filter((finding) => finding.type === type).length;
    const warnings = count("warning");
    const failed = invocation.flag("fatal-warnings") ? findings.length : count("fatal");
    if (invocation.json) output.json({ findings, passed, skipped, failed });
    else {
      for (const { name, type, message } of findings) {
        output.line(`${type === "fatal" ? "Failed lint" : "Lint warning"}: ${name}: ${message}`);
      }
      output.line(`Checks passed: ${passed}`);
      if (skipped > 0) output.line(`Checks skipped: ${skipped}`);
      if (warnings > 0) output.line(`Warnings: ${warnings}`);
    }
    if (failed > 0 && !invocation.json) throw new SealrootError("failed", `Checks failed: ${failed}`);
    return failed > 0 ? 1 : 0;
  },
});
