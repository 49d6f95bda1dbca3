/** The one way in which reading an image fails. */
import { corrupt, type SealrootError } from "../errors/index.ts";

/** @param rule what is wrong, in words that follow "offset N:" */
export function imageError(offset: number, rule: string): SealrootError {
  return corrupt(`Cannot read EROFS image: offset ${offset}: ${rule}`, { offset });
}

/** Fails unless the field has the value. */
export function expectField(offset: number, field: string, actual: number, expected: number): void {
  if (actual !== expected) throw imageError(offset, `${field} is ${actual}, not ${expected}`);
}
