/** How a failure is described to a person: the same lines from the command line, the boot program and the example. */
import { type ErrorData, oneLine, reasonOf, SealrootError } from "./error.ts";

/** Longest line besides the message, which has its own limit; this many characters would fill a terminal. */
const LINE_MAX_CHARACTERS = 2000;

/**
 * The sentence, then one indented line for each thing that the error knows and the sentence does not say: where it
 * happened, the step, the expected and the found value, and last the way out. No line holds a control character, so no
 * name or argument can forge one.
 *
 * @param error any thrown value; for anything but a SealrootError only the message is printed
 */
export function describeError(error: unknown): string[] {
  const message = reasonOf(error);
  const lines = [message, ...dataOf(error)].map(oneLine);
  return lines.map((line) =>
    line.length <= LINE_MAX_CHARACTERS ? line : `${line.slice(0, LINE_MAX_CHARACTERS - 1)}…`,
  );
}

/** For wrong usage it does not matter how far the work got. */
function dataOf(error: unknown): string[] {
  if (!(error instanceof SealrootError)) return [];
  const { step, ...data } = error.data;
  return dataLines(error.code === "usage" || step === undefined ? data : { ...data, step }, error.message);
}

function dataLines(
  { step, path, line, offset, expected, actual, output = [], hint }: ErrorData,
  message: string,
): string[] {
  const place = [
    ...(path === undefined || mentions(message, path, PATH) ? [] : [path]),
    ...(line === undefined || mentions(message, `line ${line}`) ? [] : [`line ${line}`]),
    ...(offset === undefined || mentions(message, `offset ${offset}`) ? [] : [`offset ${offset}`]),
  ];
  // A number may occur in the sentence and mean something else there.
  const isTold = (value: string) => !/^\d{0,15}$/.test(value) && mentions(message, value);
  return [
    ...(place.length === 0 ? [] : [`  where:    ${place.join(", ")}`]),
    ...(step === undefined ? [] : [`  during:   ${step}`]),
    ...(expected === undefined || isTold(expected) ? [] : [`  expected: ${expected}`]),
    ...(actual === undefined || isTold(actual) ? [] : [`  found:    ${actual}`]),
    ...(output.length === 0 ? [] : ["  printed:", ...output.map((printed) => `    ${printed}`)]),
    ...(hint === undefined ? [] : [`  ${hint}`]),
  ];
}

/** Adjacent characters that would make a value part of another one. */
const WORD = /\w/;
/** The same for paths and references: `/dev/sda` is not mentioned by `/dev/sda1` or `/dev/sda/x`. */
const PATH = /[\w/.@-]/;

/** Whether the sentence contains exactly this value. */
function mentions(message: string, value: string, part = WORD): boolean {
  const shown = oneLine(value);
  for (let start = message.indexOf(shown); start >= 0; start = message.indexOf(shown, start + 1)) {
    const [before, after] = [message[start - 1] ?? " ", message[start + shown.length] ?? " "];
    if (!part.test(before) && !part.test(after)) return true;
  }
  return false;
}
