/** Health checks: programs of the image and of the host that decide whether a new system is good. */
import { lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { type ByteString, byteString, bytesOf, compareByteStrings, displayText } from "../../bytes/index.ts";
import { asSealrootError, hasErrno, reasonOf, SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep } from "../../events/index.ts";
import { runTool } from "../../platform/index.ts";
import type { FailedCheck } from "./health-report.ts";

/** A later directory masks the names of an earlier one. */
export const HEALTH_DIRECTORIES = ["/usr/lib/sealroot/health.d", "/etc/sealroot/health.d"] as const;

/** For one check, and for all of them; a hung one must not keep a machine from falling back. */
export const CHECK_LIMIT_MS = 120_000;
export const CHECKS_LIMIT_MS = 300_000;

export interface HealthOptions {
  readonly directories: readonly string[];
  /** Added to the checks' environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly checkLimitMs: number;
  readonly totalLimitMs: number;
  readonly events: EventSink;
}

export interface HealthCheck {
  /** Its file name: bytes. */
  readonly name: ByteString;
  readonly directory: string;
}

/**
 * The checks, by name in byte order. A name in a later directory replaces that of an earlier one, and as a link to
 * `/dev/null` masks it. Hidden names and editors' copies (`x~`) are none.
 *
 * @throws SealrootError `unsupported` for a name that cannot be run: a check that was forgotten to be made executable must
 *   not pass for one that succeeded
 */
export function findHealthChecks(directories: readonly string[]): HealthCheck[] {
  const checks = new Map<ByteString, HealthCheck>();
  for (const directory of directories) for (const name of namesIn(directory)) checks.set(name, { name, directory });
  return [...checks.values()].filter(isToBeRun).sort((a, b) => compareByteStrings(a.name, b.name));
}

function namesIn(directory: string): ByteString[] {
  try {
    const names = readdirSync(directory, { encoding: "buffer" }).map((name) => byteString(name));
    return names.filter((name) => !name.startsWith(".") && !name.endsWith("~"));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw asSealrootError(error, "Cannot list the health checks", { path: directory });
  }
}

function isToBeRun(check: HealthCheck): boolean {
  const path = pathBytes(check);
  const shown = `${check.directory}/${displayText(check.name)}`;
  try {
    if (lstatSync(path).isSymbolicLink() && readlinkSync(path) === "/dev/null") return false;
    const stat = statSync(path);
    if (stat.isFile() && (stat.mode & 0o111) !== 0) return true;
  } catch (error) {
    throw asSealrootError(error, `Cannot run the health check ${shown}`, { path: shown });
  }
  throw new SealrootError("unsupported", `Cannot run the health check ${shown}: it is not an executable file`, {
    path: shown,
    hint: `chmod +x ${shown}, or mask it by a link of its name to /dev/null in /etc/sealroot/health.d`,
  });
}

function pathBytes({ directory, name }: HealthCheck): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), bytesOf(name)]);
}

/**
 * Runs every check, also after one that failed, one at a time.
 * @returns those that failed
 */
export async function runHealthChecks(options: HealthOptions): Promise<readonly FailedCheck[]> {
  const failed: FailedCheck[] = [];
  const endMs = performance.now() + options.totalLimitMs;
  let checks: HealthCheck[];
  try {
    checks = findHealthChecks(options.directories);
  } catch (error) {
    return [{ name: "health.d", reason: reasonOf(error) }];
  }
  for (const check of checks) {
    const name = displayText(check.name);
    const limitMs = Math.min(options.checkLimitMs, endMs - performance.now());
    const reason = await runStep(options.events, `health check ${name}`, async (reporter) => {
      const found = limitMs > 0 ? await runCheck(check, options, limitMs) : "no time was left for it";
      if (found !== undefined) reporter.warn(`health check ${name} failed: ${found}`);
      return found;
    });
    if (reason !== undefined) failed.push({ name, reason });
  }
  return failed;
}

/** A path as octal escapes, which are bytes to the shell and text to everybody between. The final dot keeps line ends. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
const RUN = 'path=$(printf "%b." "$1"); exec "${path%.}" 2>&1';
const SHOWN_BYTES = 2000;

/** @returns why it failed; undefined when it succeeded */
async function runCheck(check: HealthCheck, options: HealthOptions, limitMs: number): Promise<string | undefined> {
  const escaped = [...pathBytes(check)].map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join("");
  let tail = "";
  const codes = Array.from({ length: 256 }, (_, code) => code);
  try {
    const { exitCode } = await runTool("sh", ["-c", RUN, "sh", escaped], {
      ...{ env: options.environment, directory: "/", timeoutMs: limitMs, successCodes: codes },
      onOutput: (chunk) => {
        tail = (tail + chunk.toString("latin1")).slice(-SHOWN_BYTES);
      },
    });
    return exitCode === 0 ? undefined : withLastLine(`exit code ${exitCode}`, tail);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "timeout") {
      return withLastLine(`it did not end in ${Math.ceil(limitMs / 1000)} s`, tail);
    }
    return withLastLine(reasonOf(error), tail);
  }
}

function withLastLine(what: string, tail: string): string {
  const lines = Buffer.from(tail, "latin1")
    .toString("utf8")
    .split("\n")
    .map((line) => line.trim());
  const last = lines.filter((line) => line !== "").at(-1);
  return last === undefined ? what : `${what}: ${last}`;
}
