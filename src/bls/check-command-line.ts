/**
 * The one check of a kernel command line that is signed or accompanies something signed: read like the kernel, like
 * systemd, and like the shell scripts of an initramfs.
 */
import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { type KernelArgument, parseKernelArgument, sameKey, splitWords } from "./command-line.ts";
import { installedRefusalOf, refusalOf } from "./refused-arguments.ts";

/** Architectures as UEFI names them in file names. */
export type CommandLineArchitecture = "x64" | "aa64" | "riscv64" | "loongarch64";

/** COMMAND_LINE_SIZE (Linux, arch/ARCH/include/asm/setup.h or uapi/asm/setup.h) less the final NUL. */
const MAX_BYTES: Readonly<Record<CommandLineArchitecture, number>> = {
  x64: 2047,
  aa64: 2047,
  riscv64: 1023,
  loongarch64: 4095,
};

export interface CommandLineCheck {
  /** Names the line in errors, such as `the command line of the UKI`. */
  readonly what: string;
  /**
   * Protected keys that the author of the line decides: each may occur once. Every other protected argument is refused.
   */
  readonly decidedKeys: readonly string[];
  /** Whose length limit applies; undefined for a part of a line. */
  readonly architecture?: CommandLineArchitecture;
  /**
   * What must not be on the line: `sealed` (the default), whatever leads past a seal; `installed`, only what the
   * installation itself decides, since an unsealed machine belongs to whoever sets its arguments.
   */
  readonly protects?: LineProtection;
  /** Whose fault it is: `usage` for what was just typed, `unsupported` (the default) for what is in an image. */
  readonly code?: Extract<ErrorCode, "usage" | "unsupported">;
}

export type LineProtection = "sealed" | "installed";

/** The keys that a sealed command line decides: which image is the root, and at most once which file system it is on. */
export const SEALED_LINE_KEYS: readonly string[] = ["composefs", "composefs.digest", "root"];

/** systemd drops single and double quotes (src/basic/proc-cmdline.c); before version 246 it read backslashes as well. */
const SYSTEMD_RULES = [{ quotes: "\"'" }, { quotes: "\"'", hasEscapes: true }] as const;
/** The scripts of initramfs-tools and older dracut: `for x in $(cat /proc/cmdline)`. */
const SHELL_RULES = { quotes: "" } as const;

/**
 * Checks a command line, or a part of one.
 *
 * Refused are: more bytes than the kernel keeps, as it silently cuts off the end; bytes outside printable ASCII (0xA0
 * is a blank to the kernel, and the boot loader's UTF-16 may change others); open quotes; words that the kernel and
 * systemd would split differently; keys with quotes, blanks or backslashes; and, however it is spelled, any argument
 * that would choose another root, init or unit, or stop the boot in a shell.
 *
 * @throws SealrootError naming the argument; `actual` is what is on the line
 */
export function checkCommandLine(text: string, check: CommandLineCheck): void {
  checkBytes(text, check);
  const { words, endsInQuote } = splitWords(text, { quotes: '"' });
  if (endsInQuote) throw refused(check, "a double quote is not closed", words.at(-1) ?? "");
  for (const rules of SYSTEMD_RULES) {
    const theirs = splitWords(text, rules);
    const index = words.findIndex((word, at) => word !== theirs.words[at]);
    if (theirs.endsInQuote || index >= 0) {
      const reason = "kernel and systemd read its single quotes or backslashes differently";
      throw refused(check, reason, words.at(index) ?? "");
    }
  }
  const kernelArguments = words.map(parseKernelArgument);
  for (const argument of kernelArguments) {
    checkKey(argument, check);
    refuseProtected(argument, true, check);
  }
  // Words inside a quoted value are seen only by a shell.
  const shellOnly = splitWords(text, SHELL_RULES).words.filter((word) => !words.includes(word));
  for (const word of shellOnly) refuseProtected(parseKernelArgument(word), false, { ...check, decidedKeys: [] });
  for (const key of check.decidedKeys) {
    const second = kernelArguments.filter((argument) => sameKey(argument.key, key))[1];
    if (second !== undefined) throw refused(check, `"${key}" occurs twice`, second.text);
  }
}

/**
 * Checks kernel arguments that a person adds to a command line, one or more.
 * @throws SealrootError `usage`, as {@link checkCommandLine}
 */
export function checkUserArguments(text: string, protects: LineProtection = "sealed"): void {
  const what = `the kernel argument ${JSON.stringify(text)}`;
  checkCommandLine(text, { what, decidedKeys: [], code: "usage", protects });
}

function checkBytes(text: string, check: CommandLineCheck): void {
  const code = check.code ?? "unsupported";
  const offset = text.search(/[^ -~]/);
  if (offset >= 0) {
    const codePoint = text.codePointAt(offset) ?? 0;
    const name = `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
    const reason = codePoint < 0x80 ? "is a control character" : "is not ASCII";
    throw new SealrootError(code, `Cannot use ${check.what}: ${name} ${reason}`, {
      offset,
      expected: "bytes 0x20 to 0x7e",
    });
  }
  if (check.architecture !== undefined) checkCommandLineLength(text, check.architecture, check.what, code);
}

/**
 * Refuses a line of which the kernel would silently cut off the end.
 * @throws SealrootError `unsupported`, or the given code
 */
export function checkCommandLineLength(
  text: string,
  architecture: CommandLineArchitecture,
  what: string,
  code: NonNullable<CommandLineCheck["code"]> = "unsupported",
): void {
  const maxBytes = MAX_BYTES[architecture];
  const sizeBytes = utf8Bytes(text);
  if (sizeBytes <= maxBytes) return;
  throw new SealrootError(code, `Cannot use ${what}: it has ${sizeBytes} bytes, the kernel keeps ${maxBytes}`, {
    expected: `at most ${maxBytes} bytes`,
    actual: `${sizeBytes} bytes`,
    hint: "leave out kernel arguments: those over the limit would be cut off at boot, the last ones first",
  });
}

/** Buffer.byteLength, which the initramfs does not have. */
function utf8Bytes(text: string): number {
  const bytesOf = (codePoint: number) => (codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4);
  return [...text].reduce((sum, character) => sum + bytesOf(character.codePointAt(0) ?? 0), 0);
}

function checkKey({ text, key }: KernelArgument, check: CommandLineCheck): void {
  if (key === "" || key.startsWith("=")) throw refused(check, "an argument has no key", text);
  if (/["'\\ ]/.test(key)) throw refused(check, "a key holds a quote, a backslash or a blank", text);
}

function refuseProtected(argument: KernelArgument, isQuotingReader: boolean, check: CommandLineCheck): void {
  const refusal = check.protects === "installed" ? installedRefusalOf(argument) : refusalOf(argument, isQuotingReader);
  if (refusal === undefined || check.decidedKeys.includes(argument.key)) return;
  throw refused(check, `"${argument.key}" ${refusal.reason}`, argument.text, refusal.hint);
}

function refused({ what, code }: CommandLineCheck, reason: string, actual: string, hint?: string): SealrootError {
  return new SealrootError(code ?? "unsupported", `Cannot use ${what}: ${reason}`, {
    actual,
    ...(hint !== undefined && { hint }),
  });
}
