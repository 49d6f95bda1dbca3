/** `sealroot install print-configuration`. */
import { command } from "../shared/command.ts";

export const installPrintConfiguration = command({
  description: `Prints the merged installation configuration as JSON, as bootc does: the files *.toml in bootc/install below /usr/lib,
/usr/local/lib, /etc and /run. A file masks one of the same name in an earlier directory.`,
  options: [
    { flags: "--all", summary: "also print what an installation handles itself: kernel arguments" },
    { flags: "--root <DIR>", summary: "read the files below DIR instead of /" },
  ],
  reportsJson: true,
  examples: ["sealroot install print-configuration", "sealroot install print-configuration --all"],
  async run(invocation) {
    const { findArchitecture } = await import("../../bootimage/index.ts");
    const { configurationJson, loadInstallConfiguration } = await import("../../install/index.ts");
    const architecture = findArchitecture("node", process.arch)?.machine ?? process.arch;
    const { configuration, warnings } = await loadInstallConfiguration(invocation.option("root") ?? "/", architecture);
    for (const warning of warnings) invocation.output.remark(`warning: ${warning}`);
    invocation.output.line(configurationJson(configuration, invocation.flag("all")));
  },
});
