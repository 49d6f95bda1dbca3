/** From a repository to anywhere. */
import { silent } from "../../events/index.ts";
import type { Repository } from "../../repository/index.ts";
import { type ImageReference, parseReference } from "../reference.ts";
import { findImage } from "../stored/images.ts";
import type { ImageDestination } from "./destination.ts";
import { type OpenDestinationOptions, openDestination } from "./open-destination.ts";
import { storedContent } from "./stored-content.ts";
import { type WriteOptions, type WrittenContent, writeImage } from "./write-image.ts";

export type PushOptions = Partial<WriteOptions> & OpenDestinationOptions;

/**
 * Writes an image of a repository to a destination.
 *
 * @param name a tag, or `@` and the digest of a manifest
 * @throws SealrootError as findImage, openDestination and writeImage; nothing has a name at the destination then
 */
export async function pushImage(
  repository: Repository,
  name: string,
  target: ImageReference,
  options: PushOptions = {},
): Promise<WrittenContent> {
  const content = storedContent(repository, await findImage(repository, name));
  const mountFrom = options.mountFrom ?? originOf(name);
  return toDestination(target, { ...options, mountFrom, checkRights: true }, (destination) =>
    writeImage(content, destination, "named", { ...options, events: options.events ?? silent }),
  );
}

/** An image that was pulled without a name has that of its registry, which may have the layers still. */
function originOf(name: string): ImageReference | undefined {
  try {
    return parseReference(name);
  } catch {
    // Any text may be a tag.
    return undefined;
  }
}

/** Opens a destination, and ends it as the work ends. */
export async function toDestination<T>(
  target: ImageReference,
  options: OpenDestinationOptions,
  work: (destination: ImageDestination) => Promise<T>,
): Promise<T> {
  const destination = await openDestination(target, options);
  try {
    const result = await work(destination);
    await destination.finish();
    return result;
  } catch (error) {
    await destination.abort();
    throw error;
  }
}
