/** Where verbs print: results on standard output, everything else on standard error. */

export interface Output {
  /** One line of the result. */
  line(text: string): void;
  /** Raw bytes of the result, such as a reassembled stream; resolves when the reader can take more. */
  bytes(chunk: Uint8Array): Promise<void>;
  /** The result as JSON, indented, with a final newline. */
  json(value: unknown): void;
  /** A remark for the person at the terminal, on standard error. */
  remark(text: string): void;
}

/** The output of the real process. */
export function processOutput(): Output {
  return {
    line: (text) => {
      process.stdout.write(`${text}\n`);
    },
    bytes: (chunk) =>
      new Promise((resolve, reject) => {
        process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
      }),
    json: (value) => {
      process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    },
    remark: (text) => {
      process.stderr.write(`${text}\n`);
    },
  };
}
