/** The comparison of a finished disk with its plan, value by value. */
import { corrupt, type SealrootError } from "../errors/index.ts";

/** @throws SealrootError `corrupt` when a value is not the planned one */
export function expectPlanned<T extends string | number>(where: string, what: string, expected: T, actual: T): void {
  if (actual !== expected) throw otherThanPlanned(where, what, expected, actual);
}

export function otherThanPlanned(
  where: string,
  what: string,
  expected: string | number,
  actual: string | number,
): SealrootError {
  const data = { expected: String(expected), actual: String(actual) };
  return corrupt(`Cannot accept the disk: the ${what} of ${where} is ${actual}, planned was ${expected}`, data);
}
