/** The guest's serial console: what it printed, as plain text and bounded. */

/** How much of the console is kept; a boot without `quiet` prints about 60 kB. */
const KEPT_CHARACTERS = 1024 * 1024;

/** Longest control sequence to wait for when a chunk ends within one. */
const SEQUENCE_CHARACTERS = 32;

/** Terminal control sequences (ECMA-48 CSI and the two-character escapes), which firmware and systemd print. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with the control character ESC
const CONTROL_SEQUENCE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-Z\\-~])/g;

// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const STRAY = /[\r\u001b]/g;

/** Moving the cursor elsewhere (CUP, HVP), which firmware and boot loader do instead of ending a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CURSOR_POSITION = /\u001b\[[\d;]*[Hf]/g;

/** What the boot loader's frames become: it draws them in the terminal's own character set. */
const NOT_UTF8 = "\ufffd";

/** Collects console output as plain lines, without control sequences and carriage returns. */
export class ConsoleLog {
  #text = "";
  #droppedCharacters = 0;
  #pending = "";
  readonly #decoder = new TextDecoder();

  /** What the guest printed, or the last 1 MiB of it. */
  get text(): string {
    return this.#text;
  }

  /** Characters printed so far: the position of later output. */
  get position(): number {
    return this.#droppedCharacters + this.#text.length;
  }

  /** What was printed at and after `position`. */
  textFrom(position: number): string {
    return this.#text.slice(Math.max(0, position - this.#droppedCharacters));
  }

  /** The last `count` non-empty lines. */
  lastLines(count: number): readonly string[] {
    return this.#text
      .split("\n")
      .map((line) => line.replaceAll(NOT_UTF8, "").trim())
      .filter((line) => line !== "")
      .slice(-count);
  }

  /** Accepts output as it arrives; a control sequence or character may be cut anywhere. */
  append(bytes: Uint8Array): void {
    const raw = this.#pending + this.#decoder.decode(bytes, { stream: true });
    const cut = incompleteSequenceStart(raw);
    this.#pending = raw.slice(cut);
    const lines = raw.slice(0, cut).replace(CURSOR_POSITION, "\n");
    // Firmware loses characters when the machine is slow: the rest of a control sequence keeps its text, without its
    // ESC.
    this.#text += lines.replace(CONTROL_SEQUENCE, "").replaceAll(STRAY, "");
    const excess = this.#text.length - KEPT_CHARACTERS;
    if (excess <= 0) return;
    this.#text = this.#text.slice(excess);
    this.#droppedCharacters += excess;
  }
}

/** Where a control sequence cut by the end of `raw` begins, or the length if there is none. */
function incompleteSequenceStart(raw: string): number {
  const start = raw.lastIndexOf("\u001b");
  if (start < 0 || raw.length - start > SEQUENCE_CHARACTERS) return raw.length;
  return raw.slice(start).search(CONTROL_SEQUENCE) === 0 ? raw.length : start;
}
