/** What the boot program asks of the machine. QuickJS answers at boot, a fake in the program's tests. */

export interface CommandResult {
  /** Exit status; 128 and the signal when a signal ended it, 127 when it could not be started. */
  readonly status: number;
  /** Standard output and standard error in one. */
  readonly output: Uint8Array;
}

/** A file that stays open until the program ends. */
export interface HeldFile {
  /** A path under /proc that is this very file for every child, whatever happens to its name. */
  readonly source: string;
  /** Where the file really is, as the kernel says: after every link. */
  readonly realPath: string;
  readonly kind: "file" | "directory" | "other";
}

export interface BootSystem {
  /** Runs a program to its end. The first word is a path. */
  run(command: readonly string[]): CommandResult;
  /** Undefined when the file cannot be read. */
  readBytes(path: string): Uint8Array | undefined;
  /** At most so many bytes from the beginning of a file or device; undefined when it cannot be read. */
  readStart(path: string, limitBytes: number): Uint8Array<ArrayBuffer> | undefined;
  /** Writes over the beginning of a file that exists; durable on return. */
  writeText(path: string, text: string): boolean;
  /** Writes a new file in one go; false also when there is one already. */
  createFile(path: string, bytes: Uint8Array<ArrayBuffer>): boolean;
  /** Takes a file's name away, if there is one. */
  remove(path: string): void;
  /**
   * Asks the person at the console for a line that is not shown.
   *
   * @param timeoutMs how long nothing may be typed; undefined waits for ever
   * @returns undefined after that time, and without a console
   */
  askSecret(prompt: string, timeoutMs: number | undefined): string | undefined;
  /** Writes a command to a device in one go and reads its answer in one; undefined when that is not possible. */
  exchange(path: string, command: Uint8Array<ArrayBuffer>): Uint8Array | undefined;
  /** Names in a directory, sorted; empty when there is none. */
  list(path: string): string[];
  realPath(path: string): string | undefined;
  isDirectory(path: string): boolean;
  /** Makes the directory and its parents; an existing one stays unchanged. */
  makeDirectory(path: string, mode: number): void;
  /** Makes a symbolic link; an existing one stays unchanged. */
  makeLink(target: string, path: string): void;
  /** Opens a file of any kind as a place only, which nothing on the other side notices; undefined when it cannot. */
  hold(path: string): HeldFile | undefined;
  /**
   * Starts a watchdog: from now on the machine restarts unless it is served. Running programs serve it for two minutes
   * each.
   * @returns false when there is none, or somebody else has it
   */
  armWatchdog(path: string): boolean;
  sleepMs(durationMs: number): void;
  nowMs(): number;
  /** Writes one line for the console and the kernel's log. */
  report(level: "failure" | "information", line: string): void;
}

/** The text of a file, or undefined. */
export function readText(system: BootSystem, path: string): string | undefined {
  const bytes = system.readBytes(path);
  return bytes && decodeText(bytes);
}

/** UTF-8 if it is valid, else one character per byte. QuickJS has no TextDecoder. */
export function decodeText(bytes: Uint8Array): string {
  let text = "";
  let escaped = "";
  for (const byte of bytes) {
    text += String.fromCharCode(byte);
    escaped += `%${byte.toString(16).padStart(2, "0")}`;
  }
  try {
    return decodeURIComponent(escaped);
  } catch {
    return text;
  }
}

/** The UTF-8 bytes of a text. QuickJS has no TextEncoder. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  const escaped = encodeURIComponent(text.toWellFormed());
  const bytes = escaped.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}
