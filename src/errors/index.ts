/**
 * errors: the one error class of sealroot, its closed set of codes, and the lines that describe a failure to a person.
 *
 * Every failure a user can meet is a {@link SealrootError}. The code says which kind of failure it is; the data say
 * where it happened and what was expected. Ground room: imports nothing and needs nothing from Node.
 * @module
 */
export { describeError } from "./describe.ts";
export {
  asSealrootError,
  corrupt,
  type ErrorCode,
  type ErrorData,
  hasErrno,
  oneLine,
  reasonOf,
  SealrootError,
} from "./error.ts";
