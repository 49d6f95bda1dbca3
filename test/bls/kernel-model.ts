/**
 * The kernel's parser of its command line, written again from its description (Linux, lib/cmdline.c next_arg and
 * kernel/params.c parse_args, 6.12): on a buffer of bytes with a position that moves, as the original works, and without
 * any part of src/bls.
 */

export interface ModelArgument {
  readonly param: string;
  readonly value: string | undefined;
}

const QUOTE = 0x22;
const EQUALS = 0x3d;

/** isspace() of lib/ctype.c: the ASCII blanks, and 0xA0. */
function isKernelBlank(byte: number): boolean {
  return (byte >= 9 && byte <= 13) || byte === 32 || byte === 0xa0;
}

/** What the kernel makes of a line, and what it leaves to init after `--`. */
export function kernelArguments(line: Uint8Array): { arguments: ModelArgument[]; afterDashes: string | undefined } {
  const bytes = [...line, 0];
  const at = (index: number): number => bytes[index] ?? 0;
  const text = (start: number): string => Buffer.from(bytes.slice(start, bytes.indexOf(0, start))).toString("latin1");
  const found: ModelArgument[] = [];
  let position = 0;
  while (isKernelBlank(at(position))) position++;
  while (at(position) !== 0) {
    let inQuote = false;
    let startsQuoted = false;
    if (at(position) === QUOTE) {
      position++;
      inQuote = true;
      startsQuoted = true;
    }
    let equalsAt = 0;
    let length = 0;
    for (; at(position + length) !== 0; length++) {
      const byte = at(position + length);
      if (isKernelBlank(byte) && !inQuote) break;
      if (equalsAt === 0 && byte === EQUALS) equalsAt = length;
      if (byte === QUOTE) inQuote = !inQuote;
    }
    const end = position + length;
    const endsLine = at(end) === 0;
    let valueAt: number | undefined;
    if (equalsAt !== 0) {
      bytes[position + equalsAt] = 0;
      valueAt = position + equalsAt + 1;
      if (at(valueAt) === QUOTE) {
        valueAt++;
        if (at(end - 1) === QUOTE) bytes[end - 1] = 0;
      }
    }
    if (startsQuoted && length > 0 && at(end - 1) === QUOTE) bytes[end - 1] = 0;
    bytes[end] = 0;
    const param = text(position);
    const value = valueAt === undefined ? undefined : text(valueAt);
    position = endsLine ? end : end + 1;
    while (isKernelBlank(at(position))) position++;
    if (param === "--" && value === undefined) {
      return { arguments: found, afterDashes: Buffer.from(bytes.slice(position, -1)).toString("latin1") };
    }
    found.push({ param, value });
  }
  return { arguments: found, afterDashes: undefined };
}
