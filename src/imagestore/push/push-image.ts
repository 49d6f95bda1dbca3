/** From a repository to anywhere. */
import { silent } from "../../events/index.ts";
import { type PushOptions, toDestination, type WrittenContent, writeImage } from "../../images/index.ts";
import { type ImageReference, parseReference } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import { findImage } from "../images.ts";
import { storedContent } from "./stored-content.ts";

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

/** An image pulled without a name has that of its registry, which may still have the layers. */
function originOf(name: string): ImageReference | undefined {
  try {
    return parseReference(name);
  } catch {
    // Any text may be a tag.
    return undefined;
  }
}
