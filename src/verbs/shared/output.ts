/** Where a verb puts its result: standard output in the end. */
export interface Output {
  /** True when the result is read on a terminal. */
  readonly isTerminal?: boolean;
  /** One line of the result. */
  line(text: string): void;
  /** Raw bytes of the result, such as a reassembled stream; resolves when the reader can take more. */
  bytes(chunk: Uint8Array): Promise<void>;
  /** The result as JSON, indented, with a final newline. */
  json(value: unknown): void;
  /** A remark for the person at the terminal, on standard error. */
  remark(text: string): void;
}
