/** Runs verbs in the test's own process and keeps what they say. */
import { main } from "../../src/cli/main.ts";
import type { Output } from "../../src/verbs/index.ts";

export interface Run {
  readonly exitCode: number;
  /** One byte to a code unit where the verb writes bytes. */
  readonly out: string;
  readonly err: string;
}

/** Runs a command line, without progress. */
export async function run(...words: string[]): Promise<Run> {
  let out = "";
  let err = "";
  const output: Output = {
    line: (text) => {
      out += `${text}\n`;
    },
    bytes: async (chunk) => {
      out += Buffer.from(chunk).toString("latin1");
    },
    json: (value) => {
      out += JSON.stringify(value);
    },
    remark: (text) => {
      err += `${text}\n`;
    },
  };
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const exitCode = await main(words.toSpliced(end, 0, "-q"), output);
  return { exitCode, out, err };
}
