/** Where an object is, relative to the directory of objects (spec/erofs.md 5.1, end). */
import type { ByteString } from "../bytes/index.ts";

/** `xx/rest` for the object with this digest. */
export function objectPath(objectId: string): ByteString {
  return `${objectId.slice(0, 2)}/${objectId.slice(2)}` as ByteString;
}

/** The digest that a path of the form `xx/rest` (after at most one slash) names, or undefined. */
export function objectIdOfPath(path: ByteString): string | undefined {
  const match = /^\/?([0-9a-f]{2})\/([0-9a-f]{62}|[0-9a-f]{126})$/.exec(path);
  return match === null ? undefined : `${match[1]}${match[2]}`;
}
