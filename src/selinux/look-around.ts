/**
 * Expressions with look-ahead or look-behind, which the automaton cannot handle: run by JavaScript's engine. The
 * reference tool uses PCRE2 for them, where `.` is any byte but newline (spec/oci.md 6). Policies have a handful at
 * most.
 */
import type { ByteString } from "../bytes/index.ts";
import { corruptRegex, unsupportedRegex } from "./regex-errors.ts";

/** One piece of an expression: an escape, a class, a group's opening, or a single character. */
const PIECE = /\\.|\[\^?\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!])?|./gs;

/**
 * The expression for JavaScript, anchored, followed by `end`.
 * @param end source that matches the letter of the file type
 */
export function lookAroundRegex(pattern: ByteString, end: string): RegExp {
  const source = pattern.replace(PIECE, translatePiece);
  try {
    return new RegExp(`^(?:${source})${end}$`);
  } catch (error) {
    throw corruptRegex(error instanceof Error ? error.message : String(error));
  }
}

function translatePiece(piece: string): string {
  if (piece === ".") return "[^\\n]";
  if (piece.startsWith("\\") && /[0-9A-Za-z]/.test(piece[1] ?? "") && !/[dwntrfvDWbB]/.test(piece[1] ?? "")) {
    throw unsupportedRegex(`the escape "${piece}" beside look-around`);
  }
  if (piece === "(?") throw unsupportedRegex("a special group beside look-around");
  if (piece.startsWith("[") && piece.length > 1 && /\[:|^\[\^?\]/.test(piece)) {
    throw unsupportedRegex(`the class "${piece}" beside look-around`);
  }
  return piece;
}
