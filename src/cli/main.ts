/**
 * cli: argument parsing, help, completion, progress, output and exit codes. The only room that prints, and the only one that knows
 * the process has arguments. Everything heavy is loaded by the verb that needs it.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 141 the reader of standard output has gone.
 * @module
 */
import { readFileSync } from "node:fs";
import type { EventSink } from "../events/index.ts";
import type { CommandEntry, Output } from "../verbs/index.ts";
import { COMMANDS } from "./commands.ts";
import { asksForJson, reportFailure } from "./failure-report.ts";
import { groupHelp, topHelp } from "./help.ts";
import { processOutput } from "./output.ts";
import { unknownVerb } from "./unknown-verb.ts";

/** The version in package.json, which is beside `src/` and in the bundle's folder. */
function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}

/** Which Node runs this, and which libraries it uses where it has to be fast. */
async function describeMachine(output: Output): Promise<void> {
  const { primitivesReport } = await import("../primitives/index.ts");
  output.line(`node ${process.versions.node}`);
  for (const { work, by, reason } of primitivesReport()) {
    output.line(`${work}: ${by}${reason === undefined ? "" : ` (${reason})`}`);
  }
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

/** Runs one command line and returns the exit code. */
export async function main(words: readonly string[], output: Output): Promise<number> {
  // "help image pull" is "image pull --help".
  const named = words[0] === "help" ? words.slice(1).filter((word) => !word.startsWith("-")) : [];
  if (named.length > 0) return main([...named, "--help"], output);
  // Words that could not be parsed, or are not parsed yet, are searched for the option.
  let asJson = asksForJson(words);
  try {
    const [first] = words;
    if (first === undefined || first === "--help" || first === "-h" || first === "help") {
      await output.bytes(Buffer.from(topHelp(version())));
      return first === undefined ? 2 : 0;
    }
    if (first === "--version" || first === "-V") {
      output.line(`sealroot ${version()}`);
      if (words[1] === "--verbose" || words[1] === "-v") await describeMachine(output);
      return 0;
    }
    const entry = findEntry(words);
    if (!entry) return await withoutVerb(words, output);
    return await runEntry(entry, words.slice(entry.path.length), output, (isAsked) => {
      asJson = isAsked;
    });
  } catch (error) {
    return reportFailure(error, asJson, output);
  }
}

/** The help of a group, or of one inside of it; else the error for words that are not a verb. */
async function withoutVerb(words: readonly string[], output: Output): Promise<number> {
  const group = words.slice(0, groupWordsOf(words));
  const next = words[group.length];
  const asked = next === "--help" || next === "-h";
  if (group.length === 0 || !(next === undefined || asked)) throw unknownVerb(words, group.length);
  const entries = COMMANDS.filter(({ path }) => path.length > group.length && beginsWith(path, group));
  await output.bytes(Buffer.from(groupHelp(group, entries)));
  return asked ? 0 : 2;
}

function beginsWith(path: readonly string[], words: readonly string[]): boolean {
  return words.every((word, index) => path[index] === word);
}

/** How many of the words name a group. */
function groupWordsOf(words: readonly string[]): number {
  const lengths = words.map((_, index) => index + 1);
  const isGroup = (length: number) =>
    COMMANDS.some(({ path }) => path.length > length && beginsWith(path, words.slice(0, length)));
  return lengths.findLast(isGroup) ?? 0;
}

async function runEntry(
  entry: CommandEntry,
  words: readonly string[],
  output: Output,
  jsonIsAsked: (isAsked: boolean) => void,
): Promise<number> {
  const [{ parseInvocation }, { progressView }, { progressFdSink }, command] = await Promise.all([
    import("./parse.ts"),
    import("./progress.ts"),
    import("./progress-fd.ts"),
    entry.load(),
  ]);
  const parsed = parseInvocation(entry, command, words);
  if (parsed.type === "help") {
    await output.bytes(Buffer.from(parsed.text));
    return 0;
  }
  const view = progressView(parsed.progress, process.stderr);
  const lines = parsed.progressFd === undefined ? undefined : progressFdSink(parsed.progressFd);
  const events: EventSink = (event) => {
    view.sink(event);
    lines?.(event);
  };
  const invocation = parsed.invocation(output, events);
  jsonIsAsked(invocation.json);
  try {
    return (await command.run(invocation)) ?? 0;
  } finally {
    view.close();
  }
}

/** The process: unfinished output is a failure too, and nothing ends in a stack trace. */
export async function runProcess(words: readonly string[]): Promise<number> {
  const output = processOutput();
  process.on("uncaughtException", (error) => process.exit(reportFailure(error, false, output)));
  const exitCode = await main(words, output);
  try {
    await output.finish();
    return exitCode;
  } catch (error) {
    return reportFailure(error, false, output);
  }
}

if (import.meta.main) process.exitCode = await runProcess(process.argv.slice(2));
