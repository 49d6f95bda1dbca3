/** Tags as file names below `streams/refs/oci` (spec/oci.md 1, "Tags"). */
import { SealrootError } from "../errors/index.ts";

/** Longest file name of Linux file systems, linux/limits.h NAME_MAX. */
const NAME_MAX_BYTES = 255;

/**
 * The file name of a tag: only `%` and `/` are escaped.
 * @throws SealrootError `usage` for a name that could not be found again
 */
export function encodeTag(name: string): string {
  const refuse = (reason: string) =>
    new SealrootError("usage", `Cannot use "${name}" as the name of an image: ${reason}`, { path: name });
  if (name.startsWith("@")) throw refuse("a leading @ is reserved for digests");
  if (name === "" || name === "." || name === ".." || name.includes("\0")) throw refuse("it is not a name");
  const encoded = name.replaceAll("%", "%25").replaceAll("/", "%2F");
  if (Buffer.byteLength(encoded) > NAME_MAX_BYTES) throw refuse(`it is longer than ${NAME_MAX_BYTES} bytes`);
  return encoded;
}

/** The tag of a file name; escapes other than `%2F` and `%25` are literal. */
export function decodeTag(fileName: string): string {
  return fileName.replace(/%(2F|25)/g, (_, code) => (code === "2F" ? "/" : "%"));
}
