/** Our end of the agent's virtio-serial port: requests out, answers in. */
import { createServer, type Server, type Socket } from "node:net";
import { asSealrootError, SealrootError } from "../errors/index.ts";

/** The result of a command in the guest. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Limit for output and error output of one command. */
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;

/** Longest line of the agent: four numbers. */
const LINE_LIMIT_BYTES = 256;

/** Longest path of a Unix socket: sockaddr_un.sun_path less the NUL (unix(7)). */
const SOCKET_PATH_LIMIT_BYTES = 107;

/** `ID STATUS OUTPUT-LENGTH ERROR-LENGTH` */
const ANSWER_LINE = /^\d+ \d+ \d+ \d+$/;

interface AnswerHeader {
  readonly exitCode: number;
  readonly outputBytes: number;
  readonly errorBytes: number;
}

interface RunningCommand {
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Listens for QEMU (which connects when it starts, so the port is open before the guest looks), then speaks the agent's
 * protocol of `credentials.ts`. One command at a time.
 */
export class AgentChannel {
  readonly #server: Server;
  #socket: Socket | undefined;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #wantedBytes = 0;
  #header: AnswerHeader | undefined;
  #nextId = 1;
  #command: RunningCommand | undefined;
  #readyCount = 0;
  #onReady: (() => void) | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#socket = socket;
      socket.on("data", (chunk: Buffer) => this.#receive(chunk));
      // QEMU's end is noticed and explained by its starter.
      socket.on("error", () => {});
    });
  }

  /** @param path of the socket to make, at most 107 bytes long */
  static async listen(path: string): Promise<AgentChannel> {
    if (Buffer.byteLength(path) > SOCKET_PATH_LIMIT_BYTES) {
      throw new SealrootError("usage", `Cannot make the agent's socket: path "${path}" is longer than 107 bytes`, {
        path,
        hint: "set TMPDIR to a shorter path",
      });
    }
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(asSealrootError(error, "Cannot make the agent's socket", { path })));
      server.listen(path, resolve);
    });
    return new AgentChannel(server);
  }

  /** How often the agent has reported; more than once after a reboot. */
  get readyCount(): number {
    return this.#readyCount;
  }

  /** Calls `listener` at every report of readiness; a new listener replaces the old one. */
  onReady(listener: () => void): void {
    this.#onReady = listener;
  }

  /**
   * Runs shell text in the guest and resolves when it has ended.
   * @throws SealrootError `failed` when another command is running or the agent is not connected
   */
  run(script: string): Promise<CommandResult> {
    const socket = this.#socket;
    if (socket === undefined || this.#readyCount === 0) {
      return Promise.reject(new SealrootError("failed", "Cannot run a command in the guest: its agent is not ready"));
    }
    if (this.#command !== undefined) {
      return Promise.reject(new SealrootError("failed", "Cannot run a command in the guest: another one is running"));
    }
    const text = Buffer.from(script, "utf8");
    return new Promise((resolve, reject) => {
      this.#command = { resolve, reject };
      socket.write(Buffer.concat([Buffer.from(`${this.#nextId} ${text.length}\n`), text]));
    });
  }

  /** Rejects the running command, if any, with `error`. */
  fail(error: Error): void {
    this.#command?.reject(error);
    this.#command = undefined;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#server.close();
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes < this.#wantedBytes) return;
    let rest: Buffer | undefined = Buffer.concat(this.#chunks);
    let buffered = rest;
    while (rest !== undefined) {
      buffered = rest;
      rest = this.#header === undefined ? this.#takeLine(buffered) : this.#takeBody(this.#header, buffered);
    }
    this.#chunks = [buffered];
    this.#bufferedBytes = buffered.length;
  }

  /** Handles the line at the start of `buffered` and returns what follows; undefined when the line is not complete. */
  #takeLine(buffered: Buffer): Buffer | undefined {
    const end = buffered.indexOf("\n");
    if (end < 0 && buffered.length < LINE_LIMIT_BYTES) return undefined;
    const line = buffered.toString("latin1", 0, end < 0 ? LINE_LIMIT_BYTES : end);
    if (line.startsWith("ready ")) {
      this.#readyCount += 1;
      this.fail(new SealrootError("failed", "Cannot finish the command: the guest has rebooted"));
      this.#onReady?.();
      return buffered.subarray(end + 1);
    }
    const [id, exitCode = 0, outputBytes = 0, errorBytes = 0] = ANSWER_LINE.test(line)
      ? line.split(" ").map(Number)
      : [];
    if (id !== this.#nextId || outputBytes + errorBytes > OUTPUT_LIMIT_BYTES) {
      this.fail(new SealrootError("failed", `Cannot understand the guest's agent: it said "${line.slice(0, 80)}"`));
      this.close();
      return undefined;
    }
    this.#header = { exitCode, outputBytes, errorBytes };
    this.#wantedBytes = outputBytes + errorBytes;
    return buffered.subarray(end + 1);
  }

  /** Completes the running command from the start of `buffered` and returns what follows; undefined when too short. */
  #takeBody(header: AnswerHeader, buffered: Buffer): Buffer | undefined {
    if (buffered.length < this.#wantedBytes) return undefined;
    const bodyEnd = this.#wantedBytes;
    const command = this.#command;
    this.#header = undefined;
    this.#wantedBytes = 0;
    this.#nextId += 1;
    this.#command = undefined;
    command?.resolve({
      exitCode: header.exitCode,
      stdout: Buffer.from(buffered.subarray(0, header.outputBytes)),
      stderr: Buffer.from(buffered.subarray(header.outputBytes, bodyEnd)),
    });
    return buffered.subarray(bodyEnd);
  }
}
