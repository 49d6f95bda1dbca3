/** The machine as QuickJS reaches it: files by its os module, everything else by programs. */
import "./quickjs.ts";
import { type BootSystem, type CommandResult, decodeText, encodeText, type HeldFile } from "./system.ts";

const BUFFER_BYTES = 16 * 1024;
/** Kernel log levels of /dev/kmsg: KERN_CRIT shows on every console even with `quiet`, KERN_NOTICE does not. */
const KMSG_LEVEL = { failure: 2, information: 5 } as const;
const EEXIST = 17;
/** A place without its content: no device is touched, no FIFO waits (open(2); the number of all our architectures). */
const O_PATH = 0o10000000;
/** Writes are on the device when they return (open(2); the number of all our architectures). */
const O_SYNC = 0o4010000;

/** Does not wait for a byte that is not there (open(2); the number of all our architectures). */
const O_NONBLOCK = 0o4000;
const EAGAIN = 11;

/**
 * The environment of all children; nothing is inherited from ours. There is no udev that libdevmapper could wait for. And
 * systemd-cryptsetup asks a TPM itself, without plugins, which a token of the volume's header could name (systemd,
 * ENVIRONMENT.md).
 */
const ENVIRONMENT = { LC_ALL: "C", DM_DISABLE_UDEV: "1", SYSTEMD_CRYPTSETUP_USE_TOKEN_MODULE: "0" };

function readDescriptor(descriptor: number): Uint8Array | undefined {
  const chunks: Uint8Array[] = [];
  const buffer = new ArrayBuffer(BUFFER_BYTES);
  let sizeBytes = 0;
  for (;;) {
    const count = os.read(descriptor, buffer, 0, BUFFER_BYTES);
    if (count < 0) return undefined;
    if (count === 0) break;
    chunks.push(new Uint8Array(buffer.slice(0, count)));
    sizeBytes += count;
  }
  const bytes = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** The loop over the descriptor, not std.loadFile(): that asks for the size first, which is 0 in /proc. */
function readBytes(path: string): Uint8Array | undefined {
  const descriptor = os.open(path, os.O_RDONLY);
  if (descriptor < 0) return undefined;
  const bytes = readDescriptor(descriptor);
  os.close(descriptor);
  return bytes;
}

function readStart(path: string, limitBytes: number): Uint8Array<ArrayBuffer> | undefined {
  const descriptor = os.open(path, os.O_RDONLY);
  if (descriptor < 0) return undefined;
  const buffer = new ArrayBuffer(limitBytes);
  let done = 0;
  for (let count = 1; count > 0 && done < limitBytes; done += Math.max(count, 0)) {
    count = os.read(descriptor, buffer, done, limitBytes - done);
  }
  os.close(descriptor);
  return new Uint8Array(buffer, 0, done);
}

/** On the disk on return: the next thing may be a panic, which writes nothing back any more. */
function writeText(path: string, text: string): boolean {
  const descriptor = os.open(path, os.O_WRONLY | O_SYNC);
  if (descriptor < 0) return false;
  const bytes = encodeText(text);
  const written = os.write(descriptor, bytes.buffer, 0, bytes.length);
  os.close(descriptor);
  return written === bytes.length;
}

function createFile(path: string, bytes: Uint8Array<ArrayBuffer>): boolean {
  const descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600);
  if (descriptor < 0) return false;
  const written = os.write(descriptor, bytes.buffer, 0, bytes.length);
  os.close(descriptor);
  return written === bytes.length;
}

/** A device that waits for its answer: one write, one read (Linux Documentation/security/tpm). */
function exchange(path: string, command: Uint8Array<ArrayBuffer>): Uint8Array | undefined {
  const descriptor = os.open(path, os.O_RDWR);
  if (descriptor < 0) return undefined;
  const buffer = new ArrayBuffer(BUFFER_BYTES);
  const isWritten = os.write(descriptor, command.buffer, 0, command.length) === command.length;
  const count = isWritten ? os.read(descriptor, buffer, 0, BUFFER_BYTES) : -1;
  os.close(descriptor);
  return count < 0 ? undefined : new Uint8Array(buffer.slice(0, count));
}

const CONSOLE = "/dev/console";
/** Between two looks at the keyboard. */
const KEY_POLL_MS = 50;
/** More than any passphrase: LUKS takes 512 bytes when they are typed (cryptsetup(8), NOTES). */
const SECRET_MAX_CHARACTERS = 512;
/** Return in both forms; what deletes a character (DEL, BS), or the line (Ctrl-U). */
const KEY = { lineEnds: [10, 13], deletes: [8, 127], clears: 21 } as const;

function askSecret(prompt: string, timeoutMs: number | undefined): string | undefined {
  const descriptor = os.open(CONSOLE, os.O_RDWR | O_NONBLOCK);
  if (descriptor < 0) return undefined;
  os.ttySetRaw(descriptor);
  const print = (text: string) => os.write(descriptor, encodeText(text).buffer, 0, encodeText(text).length);
  print(prompt);
  const typed = readTyped(descriptor, timeoutMs);
  print("\r\n");
  os.close(descriptor);
  return typed;
}

function readTyped(descriptor: number, timeoutMs: number | undefined): string | undefined {
  const key = new ArrayBuffer(1);
  const bytes: number[] = [];
  for (let idleSinceMs = Date.now(); timeoutMs === undefined || Date.now() < idleSinceMs + timeoutMs; ) {
    const count = os.read(descriptor, key, 0, 1);
    if (count !== 1) {
      // A console without anybody at it, such as a serial line that is not connected, says that it ends.
      if (count < 0 && count !== -EAGAIN) return undefined;
      serveWatchdog();
      os.sleep(KEY_POLL_MS);
      continue;
    }
    idleSinceMs = Date.now();
    const [byte = 0] = new Uint8Array(key);
    if (KEY.lineEnds.some((end) => end === byte)) return decodeText(Uint8Array.from(bytes));
    if (KEY.deletes.some((one) => one === byte)) bytes.pop();
    else if (byte === KEY.clears) bytes.length = 0;
    else if (bytes.length < SECRET_MAX_CHARACTERS) bytes.push(byte);
  }
  return undefined;
}

let watchdog = -1;

function armWatchdog(path: string): boolean {
  watchdog = os.open(path, os.O_WRONLY);
  return watchdog >= 0;
}

/** Any byte but `V`, which would disarm it (Linux Documentation/watchdog/watchdog-api.rst). */
function serveWatchdog(): void {
  if (watchdog >= 0) os.write(watchdog, new Uint8Array([0]).buffer, 0, 1);
}

/** Between two looks at a running program. */
const LOOK_MS = 20;
/** How long a program may run before it counts as hanging. A list of a million objects takes seconds, from slow disks too. */
const PROGRAM_LIMIT_MS = 120_000;

/** Waits for a program. Served meanwhile, the watchdog notices a hang of the kernel and, after the limit, of the program. */
function waitFor(pid: number): number {
  const endMs = Date.now() + PROGRAM_LIMIT_MS;
  for (;;) {
    const [ended, status] = os.waitpid(pid, os.WNOHANG);
    if (ended !== 0) return status;
    if (Date.now() < endMs) serveWatchdog();
    os.sleep(LOOK_MS);
  }
}

/** Into a file, as nobody reads a pipe while the watchdog is served. */
function runServed(command: readonly string[]): CommandResult {
  const path = "/run/sealroot/output";
  makeDirectory("/run/sealroot", 0o755);
  const output = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600);
  const pid = start(command, output);
  os.close(output);
  return { status: exitStatus(waitFor(pid)), output: readBytes(path) ?? new Uint8Array(0) };
}

function run(command: readonly string[]): CommandResult {
  if (watchdog >= 0) return runServed(command);
  const [readEnd, writeEnd] = os.pipe();
  const pid = start(command, writeEnd);
  os.close(writeEnd);
  const output = readDescriptor(readEnd) ?? new Uint8Array(0);
  os.close(readEnd);
  const [, status] = os.waitpid(pid, 0);
  return { status: exitStatus(status), output };
}

/** wait(2): the low seven bits are the signal, the next byte is the exit status. */
function exitStatus(status: number): number {
  return (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
}

/** @returns the process */
function start(command: readonly string[], writeEnd: number): number {
  const nothing = os.open("/dev/null", os.O_RDONLY);
  const pid = os.exec([...command], {
    block: false,
    usePath: false,
    stdin: nothing,
    stdout: writeEnd,
    stderr: writeEnd,
    env: ENVIRONMENT,
  });
  os.close(nothing);
  return pid;
}

function isDirectory(path: string): boolean {
  const [found] = os.stat(path);
  return found !== null && (found.mode & os.S_IFMT) === os.S_IFDIR;
}

function makeDirectory(path: string, mode: number): void {
  if (isDirectory(path)) return;
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (parent !== "") makeDirectory(parent, 0o755);
  const result = os.mkdir(path, mode);
  if (result < 0 && result !== -EEXIST) throw new Error(`Cannot make the directory ${path}: error ${-result}`);
}

function makeLink(target: string, path: string): void {
  makeDirectory(path.slice(0, path.lastIndexOf("/")), 0o755);
  const result = os.symlink(target, path);
  if (result < 0 && result !== -EEXIST) throw new Error(`Cannot make the link ${path}: error ${-result}`);
}

function hold(path: string): HeldFile | undefined {
  const descriptor = os.open(path, O_PATH);
  if (descriptor < 0) return undefined;
  const source = `/proc/${os.getpid()}/fd/${descriptor}`;
  const [realPath, errno] = os.readlink(source);
  const [found] = os.stat(source);
  if (errno !== 0 || found === null) return undefined;
  const type = found.mode & os.S_IFMT;
  return { source, realPath, kind: type === os.S_IFREG ? "file" : type === os.S_IFDIR ? "directory" : "other" };
}

function report(level: "failure" | "information", line: string): void {
  if (writeText("/dev/kmsg", `<${KMSG_LEVEL[level]}>sealroot: ${line}\n`)) return;
  std.err.puts(`sealroot: ${line}\n`);
  std.err.flush();
}

/** The machine this program runs on. */
export const quickJsSystem: BootSystem = {
  run,
  readBytes,
  readStart,
  writeText,
  createFile,
  remove: (path) => {
    os.remove(path);
  },
  askSecret,
  exchange,
  list: (path) => {
    const [names] = os.readdir(path);
    return (names ?? []).filter((name) => name !== "." && name !== "..").sort();
  },
  realPath: (path) => {
    const [real, errno] = os.realpath(path);
    return errno === 0 ? real : undefined;
  },
  isDirectory,
  makeDirectory,
  makeLink,
  hold,
  armWatchdog,
  sleepMs: (durationMs) => {
    os.sleep(durationMs);
  },
  nowMs: () => Date.now(),
  report,
};
