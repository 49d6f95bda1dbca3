/** Where in a tar stream something is wrong, and the error that says so. */
import { type ByteString, displayText } from "../bytes/index.ts";
import { type ErrorCode, type ErrorData, SealrootError } from "../errors/index.ts";

/** A place in a tar stream: the entry or, if its name is not known, the one before it. */
export interface TarPlace {
  /** From the beginning of the stream. */
  readonly offset: number;
  readonly path?: ByteString | undefined;
  /** The last entry that could be read; used only without {@link path}. */
  readonly after?: ByteString | undefined;
}

/** How much of a name is shown; a PAX name may be a million bytes long. */
const SHOWN_MAX_CHARACTERS = 400;

function shown(path: ByteString): string {
  const text = displayText(path);
  return JSON.stringify(text.length <= SHOWN_MAX_CHARACTERS ? text : `${text.slice(0, SHOWN_MAX_CHARACTERS)}…`);
}

/**
 * The error for what is at `place`: `Cannot read tar entry "usr/x": REASON`.
 * @param code `corrupt` if absent
 */
export function tarError(
  { offset, path, after }: TarPlace,
  reason: string,
  data: ErrorData = {},
  code: ErrorCode = "corrupt",
): SealrootError {
  const where =
    path !== undefined ? `entry ${shown(path)}` : after === undefined ? "stream" : `stream after ${shown(after)}`;
  const known = path === undefined ? {} : { path: displayText(path) };
  return new SealrootError(code, `Cannot read tar ${where}: ${reason}`, { ...data, ...known, offset });
}
