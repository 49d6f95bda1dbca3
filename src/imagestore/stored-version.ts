/** The EROFS version of an image in a repository, according to its header. */
import { readErofsVersion, VERSION_BYTES } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { ErofsVersion, Repository } from "../repository/index.ts";

/** The version in the image's header: 0 and 1 share a name in configurations. Undefined when it cannot be read. */
export function storedVersion(repository: Repository, id: string): ErofsVersion | undefined {
  try {
    using object = repository.objects.open(id);
    return readErofsVersion(object.range(0, Math.min(VERSION_BYTES, object.sizeBytes)));
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
