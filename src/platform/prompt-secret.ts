/** Asks for a secret on the terminal, without showing it. */
import { closeSync, openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { SealrootError } from "../errors/index.ts";

const CONTROL_C = 0x03;
const CONTROL_D = 0x04;
const BACKSPACES = [0x08, 0x7f];
const LINE_ENDS = [0x0a, 0x0d];

/**
 * One line that somebody types on the terminal that the process was started from, whatever its input and output are.
 *
 * @param question such as `Passphrase of db.key`
 * @returns undefined when there is no terminal
 * @throws SealrootError `failed` when it is given up (Ctrl-C, Ctrl-D)
 */
export async function promptSecret(question: string): Promise<Uint8Array | undefined> {
  let terminal: number;
  try {
    terminal = openSync("/dev/tty", "r+");
  } catch {
    return undefined;
  }
  const input = new ReadStream(terminal);
  try {
    input.setRawMode(true);
    writeSync(terminal, `${question}: `);
    return await typedLine(input, question);
  } finally {
    input.setRawMode(false);
    writeSync(terminal, "\n");
    input.destroy();
    closeIfOpen(terminal);
  }
}

async function typedLine(input: ReadStream, question: string): Promise<Uint8Array> {
  const typed: number[] = [];
  for await (const chunk of input as AsyncIterable<Buffer>) {
    for (const byte of chunk) {
      if (LINE_ENDS.includes(byte)) return Uint8Array.from(typed);
      if (byte === CONTROL_C || byte === CONTROL_D) break;
      if (BACKSPACES.includes(byte)) typed.pop();
      else typed.push(byte);
    }
    if (chunk.includes(CONTROL_C) || chunk.includes(CONTROL_D)) break;
  }
  throw new SealrootError("failed", `Cannot continue: the question "${question}" was not answered`);
}

function closeIfOpen(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch {
    // The stream has closed it.
  }
}
