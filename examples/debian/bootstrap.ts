/** Runs mmdebstrap and hands on the tar stream of the finished tree. */
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import type { ArchitectureName } from "../../src/bootimage/index.ts";
import type { ByteString } from "../../src/bytes/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import type { StepReporter } from "../../src/events/index.ts";
import { type RunningTool, startTool } from "../../src/platform/index.ts";
import { encodeTarHeader } from "../../src/tar/index.ts";

/** Everything that decides what the tree contains, besides the package archive itself. */
export interface BootstrapInputs {
  /** Debian's name of the release, such as "trixie". */
  readonly suite: string;
  /** Lines of sources.list(5); the mirrors that mmdebstrap chooses for the suite if absent. */
  readonly sources?: readonly string[];
  /** Another than amd64: packages are unpacked, the essential ones only if they are named, and none of their scripts runs. */
  readonly architecture?: Exclude<ArchitectureName, "amd64">;
  readonly packages: readonly string[];
  /** Shell text run when the essential packages are there; not for another architecture. */
  readonly essentialHook: string;
  /** Shell text run when all packages are there. */
  readonly layoutHook: string;
  /** No file is younger than this; seconds since 1970 (reproducible-builds.org, SOURCE_DATE_EPOCH). */
  readonly sourceDateEpochSeconds: number;
}

const HERE = import.meta.dirname;

/** Documentation and translations stay out; licences stay in. */
const DPKG_OPTIONS = [
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/info/*",
  "path-exclude=/usr/share/locale/*",
];

/** Lines of mmdebstrap --verbose that stand for one package in one of its phases. */
const PACKAGE_LINE = /^(Get:\d+|Unpacking|Setting up) /;
const LAST_LINES = 5;

/**
 * Reads the package lists and hooks beside this file.
 * @param full adds the packages that bring the system to the size of the benchmarks
 */
export async function readBootstrapInputs(full: boolean, sourceDateEpochSeconds: number): Promise<BootstrapInputs> {
  const lists = full ? ["packages.txt", "packages-full.txt"] : ["packages.txt"];
  const texts = await Promise.all(lists.map((name) => readFile(join(HERE, name), "utf8")));
  const packages = texts.flatMap((text) => text.split("\n")).filter((line) => line !== "" && !line.startsWith("#"));
  return {
    suite: "trixie",
    packages,
    // Given as text, not as a path: an ordinary user's mmdebstrap runs hooks as a user that cannot read his home.
    essentialHook: await readFile(join(HERE, "hooks", "essential.sh"), "utf8"),
    layoutHook: await readFile(join(HERE, "hooks", "layout.sh"), "utf8"),
    sourceDateEpochSeconds,
  };
}

/**
 * Bootstraps the tree and yields it as one tar stream; the same inputs and packages give the same bytes. Works as root
 * and, through subordinate ids, as an ordinary user.
 *
 * @param logPath receives everything mmdebstrap says
 * @throws SealrootError `missing-tool`, or `failed` with the end of what mmdebstrap said
 */
export async function* bootstrapDebian(
  inputs: BootstrapInputs,
  logPath: string,
  reporter: StepReporter,
): AsyncGenerator<Uint8Array> {
  const tool = await startTool("mmdebstrap", mmdebstrapArguments(inputs), {
    env: { SOURCE_DATE_EPOCH: String(inputs.sourceDateEpochSeconds) },
  });
  const log = followLog(tool, logPath, reporter);
  let completed = false;
  try {
    yield deviceDirectory(inputs.sourceDateEpochSeconds);
    for await (const chunk of tool.stdout ?? []) yield chunk;
    completed = true;
  } finally {
    if (!completed) tool.kill();
  }
  const [exit, lastLines] = await Promise.all([tool.exited, log]);
  if (exit.exitCode === 0) return;
  throw new SealrootError("failed", `Cannot bootstrap Debian: mmdebstrap failed: ${lastLines.join(" | ")}`, {
    path: logPath,
    hint: `read ${logPath}; the network, the disk or a changed package are the usual causes`,
  });
}

function mmdebstrapArguments(inputs: BootstrapInputs): string[] {
  return [
    "--verbose",
    "--format=tar",
    ...variantArguments(inputs),
    `--include=${inputs.packages.join(",")}`,
    '--aptopt=Apt::Install-Recommends "false"',
    ...DPKG_OPTIONS.map((option) => `--dpkgopt=${option}`),
    // Device nodes have no place in an image: the kernel's own file system is mounted over /dev.
    "--skip=output/dev",
    inputs.suite,
    "-",
    ...(inputs.sources ?? []),
  ];
}

function variantArguments({ architecture, essentialHook, layoutHook }: BootstrapInputs): string[] {
  if (architecture === undefined) {
    return ["--variant=essential", `--essential-hook=${essentialHook}`, `--customize-hook=${layoutHook}`];
  }
  return ["--variant=extract", `--architectures=${architecture}`, `--extract-hook=${layoutHook}`];
}

/** The empty /dev that mmdebstrap leaves out together with the nodes in it. */
function deviceDirectory(sourceDateEpochSeconds: number): Uint8Array {
  return encodeTarHeader({
    kind: "directory",
    path: "./dev/" as ByteString,
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtimeSeconds: BigInt(sourceDateEpochSeconds),
  });
}

/** Copies what mmdebstrap says into the log, counts packages for the progress, and keeps the last lines. */
async function followLog(tool: RunningTool, logPath: string, reporter: StepReporter): Promise<string[]> {
  const lastLines: string[] = [];
  if (tool.stderr === null) return lastLines;
  const log = createWriteStream(logPath);
  let packageLines = 0;
  for await (const line of createInterface({ input: tool.stderr })) {
    log.write(`${line}\n`);
    if (PACKAGE_LINE.test(line)) reporter.progress(++packageLines, undefined, "items");
    if (line.trim() !== "") lastLines.push(line.trim());
    if (lastLines.length > LAST_LINES) lastLines.shift();
  }
  log.end();
  await finished(log);
  return lastLines;
}
