/** `sealroot loader-entries set-options-for-source` */
import { command, type OptionSpecification } from "../shared/command.ts";
import { openWritableHost } from "../shared/writable-host.ts";

const OPTIONS = [
  { flags: "--source <NAME>", summary: "who the arguments belong to, such as tuned", required: true },
  { flags: "--options <ARGS>", summary: "all of its arguments; left out or empty, it has none any more" },
] as const satisfies readonly OptionSpecification[];

export const loaderEntriesSetOptionsForSource = command({
  description: `Gives the next boot of a host without seal the kernel arguments of one source, in place of those that the same source
gave before. What others gave stays. The boot entry says whose is whose (x-options-source-NAME), and updates take it
along.

It is the entry of the staged deployment that changes, if one is staged, else that of the booted one. The command line of
a sealed host is in its UKI and cannot be changed.`,
  options: OPTIONS,
  examples: [
    "sealroot loader-entries set-options-for-source --source tuned --options 'isolcpus=1-3 nosmt'",
    "sealroot loader-entries set-options-for-source --source tuned",
  ],
  reportsJson: true,
  async run(invocation) {
    const { setOptionsForSource, sourceOptionsText } = await import("../../host/index.ts");
    using opened = openWritableHost("set kernel arguments");
    const outcome = await setOptionsForSource(opened.places, {
      source: invocation.required("source"),
      options: invocation.option("options"),
    });
    if (invocation.json) invocation.output.json(outcome);
    else for (const line of sourceOptionsText(outcome)) invocation.output.line(line);
  },
});
