/** `sealroot status` */
import type { BootedChain, Host } from "../../host/index.ts";
import { command, type Invocation, type OptionSpecification } from "../shared/command.ts";

const OPTIONS = [
  {
    flags: "--format <FORMAT>",
    summary: "humanreadable on a terminal, yaml elsewhere (default)",
    choices: ["humanreadable", "yaml", "json"],
  },
  { flags: "--json", summary: "the same as --format json", excludes: ["format"] },
  {
    flags: "--format-version <N>",
    summary: "version of yaml and json; 1 has what sealroot alone knows, under the key sealroot",
    choices: ["0", "1"],
  },
  { flags: "--booted", summary: "only the deployment that runs" },
  { flags: "-v, --verbose", summary: "more about each deployment" },
  {
    flags: "--exit-code",
    summary: "exit with 4 when an update is staged, 5 when a rollback is queued, 6 with problems",
  },
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

const EXIT_CODE = { staged: 4, rollbackQueued: 5, problems: 6 } as const;

export const status = command({
  description: `Shows what runs, what comes at the next boot and what can be rolled back to, as bootc does: yaml and json have bootc's
fields. Looks at the disk and the boot entries, needs no network and writes nothing.

What cannot be read is reported on its own, on standard error where the output is yaml or json; the rest is shown.`,
  options: OPTIONS,
  examples: ["sealroot status", "sealroot status --format json", "sealroot status --booted --verbose"],
  async run(invocation) {
    const { openHost, readBootedChain, readHost } = await import("../../host/index.ts");
    using opened = openHost();
    if (opened === undefined) {
      await print(invocation, NOT_DEPLOYED);
      return 0;
    }
    const read = await readHost(opened.places);
    const host = { ...read, problems: [...opened.problems, ...read.problems] };
    await print(invocation, host, isDetailed(invocation) ? await readBootedChain(opened.places, host) : undefined);
    return invocation.flag("exit-code") ? exitCode(host) : 0;
  },
});

/** A system that neither bootc nor sealroot has installed, or a container. */
const NOT_DEPLOYED: Host = {
  staged: undefined,
  booted: undefined,
  rollback: undefined,
  others: [],
  entries: [],
  rollbackQueued: false,
  bootLoader: "none",
  usrOverlay: undefined,
  isReadOnly: false,
  space: [],
  encryption: undefined,
  failedBoots: [],
  problems: [],
};

/** Checking a signature takes longer than all the rest. */
function isDetailed(invocation: Call): boolean {
  return invocation.flag("verbose") || invocation.option("format-version") === "1";
}

async function print(invocation: Call, host: Host, chain?: BootedChain): Promise<void> {
  const { statusDocument, statusJson, statusText } = await import("../../host/index.ts");
  const bootedOnly = invocation.flag("booted");
  const format = invocation.json
    ? "json"
    : (invocation.option("format") ?? (invocation.output.isTerminal === true ? "humanreadable" : "yaml"));
  if (format === "humanreadable") {
    const verbose = invocation.flag("verbose");
    for (const line of statusText(host, { bootedOnly, verbose, chain })) invocation.output.line(line);
    return;
  }
  const document = statusDocument(host, { bootedOnly, withOwn: invocation.option("format-version") === "1", chain });
  if (format === "json") invocation.output.line(statusJson(document));
  else {
    const { stringify } = await import("yaml");
    await invocation.output.bytes(Buffer.from(stringify(document, { lineWidth: 0 })));
  }
  for (const { subject, error } of host.problems) invocation.output.remark(`${subject}: ${error.message}`);
}

/** The worst first. */
function exitCode({ problems, rollbackQueued, staged }: Host): number {
  if (problems.length > 0) return EXIT_CODE.problems;
  if (rollbackQueued) return EXIT_CODE.rollbackQueued;
  return staged === undefined ? 0 : EXIT_CODE.staged;
}
