/**
 * cli: argument parsing, output and exit codes; one file a verb. The only room that prints, and the only one that knows
 * the process has arguments. Everything heavy is loaded by the verb that needs it.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage.
 * @module
 */
import { readFileSync } from "node:fs";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import { COMMANDS, type CommandEntry } from "./commands.ts";
import { groupHelp, topHelp } from "./help.ts";
import { type Output, processOutput } from "./output.ts";

/** The version in package.json, which stands beside `src/` and in the bundle's folder. */
function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}

/** The verb with the longest path that begins `words`. */
function findEntry(words: readonly string[]): CommandEntry | undefined {
  let best: CommandEntry | undefined;
  for (const entry of COMMANDS) {
    if (entry.path.every((word, index) => word === words[index])) {
      if (!best || entry.path.length > best.path.length) best = entry;
    }
  }
  return best;
}

/** The entries of the group that `words` names, if it is one. */
function findGroup(words: readonly string[]): { prefix: readonly string[]; entries: CommandEntry[] } | undefined {
  const prefix = words.filter((word) => !word.startsWith("-"));
  const entries = COMMANDS.filter((entry) => prefix.every((word, index) => word === entry.path[index]));
  return prefix.length > 0 && entries.length > 0 ? { prefix, entries } : undefined;
}

/** Runs one command line and returns the exit code. */
export async function main(words: readonly string[], output: Output = processOutput()): Promise<number> {
  const first = words[0];
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    output.bytes(Buffer.from(topHelp(version())));
    return first === undefined ? 2 : 0;
  }
  if (first === "--version" || first === "-V") {
    output.line(`sealroot ${version()}`);
    return 0;
  }
  const entry = findEntry(words);
  if (!entry) return withoutVerb(words, output);
  try {
    return await runEntry(entry, words.slice(entry.path.length), output);
  } catch (error) {
    return reportError(error, output);
  }
}

function withoutVerb(words: readonly string[], output: Output): number {
  const group = findGroup(words);
  if (group) {
    const asked = words.includes("--help") || words.includes("-h");
    output.bytes(Buffer.from(groupHelp(group.prefix, group.entries)));
    return asked ? 0 : 2;
  }
  const [first = ""] = words;
  const inGroup = findGroup([first]) === undefined ? "" : ` ${first}`;
  if (first.startsWith("-")) output.remark(`sealroot: There is no option "${first}"`);
  else output.remark(`sealroot: There is no verb "${words.slice(0, 2).join(" ")}"`);
  output.remark(`  Run: sealroot${inGroup} --help`);
  return 2;
}

async function runEntry(entry: CommandEntry, words: readonly string[], output: Output): Promise<number> {
  const [{ parseInvocation }, { progressView }, { progressFdSink }, command] = await Promise.all([
    import("./parse.ts"),
    import("./progress.ts"),
    import("./progress-fd.ts"),
    entry.load(),
  ]);
  const parsed = parseInvocation(entry, command, words);
  if (parsed.type === "help") {
    output.bytes(Buffer.from(parsed.text));
    return 0;
  }
  const view = progressView(parsed.progress, process.stderr);
  const lines = parsed.progressFd === undefined ? undefined : progressFdSink(parsed.progressFd);
  const events: EventSink = (event) => {
    view.sink(event);
    lines?.(event);
  };
  try {
    return (await command.run(parsed.invocation(output, events))) ?? 0;
  } finally {
    view.close();
  }
}

function reportError(error: unknown, output: Output): number {
  const failure = error instanceof SealrootError ? error : asSealrootError(error, "Unexpected failure");
  output.remark(`sealroot: ${failure.message}`);
  if (failure.data.hint) output.remark(`  ${failure.data.hint}`);
  if (process.env.SEALROOT_DEBUG && failure.stack) output.remark(failure.stack);
  return failure.code === "usage" ? 2 : 1;
}

if (import.meta.main) {
  // A reader that leaves early (`| head`) is no failure of ours.
  process.stdout.on("error", (error: Error & { code?: string }) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  process.exitCode = await main(process.argv.slice(2));
}
