/** A machine for the boot program that exists only as tables. */
import type { BootSystem, CommandResult } from "../../initramfs/system.ts";

export interface FakeMachine extends BootSystem {
  readonly files: Map<string, string | Uint8Array>;
  readonly directories: Set<string>;
  /** Everything that changed something, in order; directories of the initramfs itself are not listed. */
  readonly log: string[];
  /** What was reported. */
  readonly reports: string[];
  /** Answers of devices, in this order. */
  readonly exchanges: (Uint8Array | undefined)[];
  /** What is typed when it is asked for, in this order; then nobody is there. */
  readonly typed: string[];
  /** Answers to commands by the name of the program; a program without an answer succeeds silently. */
  readonly answers: Map<string, (args: readonly string[]) => Partial<CommandResult>>;
}

export const BIN = "/usr/lib/sealroot/bin";

export function fakeMachine(files: Record<string, string | Uint8Array> = {}): FakeMachine {
  let clockMs = 0;
  let heldCount = 0;
  const machine: FakeMachine = {
    files: new Map(Object.entries(files)),
    directories: new Set(),
    log: [],
    reports: [],
    answers: new Map(),
    exchanges: [],
    typed: [],
    run: (command) => {
      const at = command.findIndex((word) => word.startsWith(`${BIN}/`));
      const name = command[at]?.slice(BIN.length + 1) ?? "";
      const args = command.slice(at + 1);
      machine.log.push([...command.slice(0, at), name, ...args].join(" "));
      const answer = machine.answers.get(name)?.(args) ?? {};
      return { status: answer.status ?? 0, output: answer.output ?? new Uint8Array(0) };
    },
    readBytes: (path) => {
      const content = machine.files.get(path);
      return typeof content === "string" ? Buffer.from(content) : content;
    },
    writeText: (path, text) => {
      machine.log.push(`write ${path} ${text}`);
      return true;
    },
    readStart: (path, limitBytes) => {
      const content = machine.files.get(path);
      return content === undefined
        ? undefined
        : Uint8Array.from(Buffer.from(content as string).subarray(0, limitBytes));
    },
    remove: (path) => {
      machine.files.delete(path);
    },
    askSecret: (prompt, timeoutMs) => {
      machine.log.push(`ask ${prompt}${timeoutMs ?? "for ever"}`);
      return machine.typed.shift();
    },
    createFile: (path, bytes) => {
      if (machine.files.has(path)) return false;
      machine.files.set(path, bytes);
      return true;
    },
    exchange: (path, command) => {
      machine.log.push(`exchange ${path} ${Buffer.from(command).toString("hex")}`);
      return machine.exchanges.shift();
    },
    list: (path) => {
      const inside = [...machine.files.keys(), ...machine.directories].filter((one) => one.startsWith(`${path}/`));
      return [...new Set(inside.map((one) => one.slice(path.length + 1).split("/")[0] ?? ""))].sort();
    },
    realPath: (path) => {
      const link = machine.files.get(`link:${path}`);
      return typeof link === "string" ? link : undefined;
    },
    isDirectory: (path) => machine.directories.has(path),
    makeDirectory: (path, mode) => {
      if (path.startsWith("/proc/")) machine.log.push(`mkdir ${path} ${mode.toString(8)}`);
      machine.directories.add(path);
    },
    makeLink: (target, path) => {
      machine.log.push(`link ${path} -> ${target}`);
    },
    hold: (path) => {
      const link = machine.files.get(`link:${path}`);
      const realPath = typeof link === "string" ? link : path;
      const kind = machine.directories.has(realPath) ? "directory" : machine.files.has(realPath) ? "file" : undefined;
      return kind && { source: `/proc/9/fd/${3 + heldCount++}`, realPath, kind };
    },
    armWatchdog: (path) => {
      machine.log.push(`arm ${path}`);
      return machine.files.has(path);
    },
    sleepMs: (durationMs) => {
      clockMs += durationMs;
    },
    nowMs: () => clockMs,
    report: (level, line) => {
      machine.reports.push(`${level}: ${line}`);
    },
  };
  return machine;
}
