/** What a person is told of a failure: the same lines from the command line, the boot program and the example. */
import { type ErrorData, oneLine, reasonOf, SealrootError } from "./error.ts";

/** Longest line besides the message, which has its own limit; a terminal of this many characters would be full. */
const LINE_MAX_CHARACTERS = 2000;

/**
 * The sentence, then one indented line for each thing that the error knows and the sentence does not say: where it
 * happened, the step, the expected and the found value, and last the way out. No line holds a control character, so that
 * none can be forged by a name or an argument.
 *
 * @param error any thrown value; of what is not a SealrootError only the message is told
 */
export function describeError(error: unknown): string[] {
  const message = reasonOf(error);
  const lines = [message, ...dataOf(error)].map(oneLine);
  return lines.map((line) =>
    line.length <= LINE_MAX_CHARACTERS ? line : `${line.slice(0, LINE_MAX_CHARACTERS - 1)}…`,
  );
}

/** When the words were wrong, it does not matter how far the work had come. */
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
  // A number may stand in the sentence and mean something else there.
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

/** Characters beside it that would make a value a part of another one. */
const WORD = /\w/;
/** The same for paths and references: `/dev/sda` is not mentioned by `/dev/sda1` or `/dev/sda/x`. */
const PATH = /[\w/.@-]/;

/** Whether the sentence has this very value in it. */
function mentions(message: string, value: string, part = WORD): boolean {
  const shown = oneLine(value);
  for (let start = message.indexOf(shown); start >= 0; start = message.indexOf(shown, start + 1)) {
    const [before, after] = [message[start - 1] ?? " ", message[start + shown.length] ?? " "];
    if (!part.test(before) && !part.test(after)) return true;
  }
  return false;
}
