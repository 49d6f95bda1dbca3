/** Which EROFS image a verb is about: one of the list of images, or that of an OCI image. */
import { SealrootError } from "../errors/index.ts";
import type { LinkEntry, Repository } from "../repository/index.ts";
import type { ArgumentSpecification, Invocation, OptionSpecification } from "./command.ts";

export const IMAGE_ARGUMENT: ArgumentSpecification = {
  name: "IMAGE",
  summary: "an image's id, the name of a reference, or an OCI image's tag",
  holds: "image",
};

export const IMAGE_OPTIONS: readonly OptionSpecification[] = [
  { flags: "--bootable", summary: "of an OCI image, the variant that is booted" },
];

/**
 * Finds what IMAGE names: an id or a reference, else the OCI image with this tag, or with `@` and this manifest digest.
 * @throws SealrootError `not-found`, `corrupt`
 */
export async function imageArgument(invocation: Invocation, repository: Repository): Promise<LinkEntry> {
  const name = invocation.argument("IMAGE");
  const found = registeredImage(repository, name);
  if (found !== undefined) return found;
  // Only OCI names need that room.
  const { encodeTag, findImage, imageKey, TAG_DIRECTORY } = await import("../oci/index.ts");
  const isTag = repository.streams.referenceTarget(`${TAG_DIRECTORY}/${encodeTag(name)}`) !== undefined;
  if (!isTag && !name.startsWith("@")) throw notAnImage(name);
  const image = await findImage(repository, name);
  const bootable = invocation.flag("bootable");
  const id = image.images.get(imageKey({ version: repository.formats.default, bootable, keepUserXattrs: false }));
  if (id !== undefined) return repository.images.resolve(id);
  throw new SealrootError("not-found", `Cannot use "${name}": the repository has no such EROFS image of it`, {
    hint: bootable ? "pull it with --bootable" : "pull it again, or give --bootable for the variant that is booted",
  });
}

/** A name that cannot be a reference's, such as `docker://…`, may still be a tag. */
function registeredImage(repository: Repository, name: string): LinkEntry | undefined {
  try {
    return repository.images.resolve(name);
  } catch (error) {
    if (error instanceof SealrootError && (error.code === "not-found" || error.code === "usage")) return undefined;
    throw error;
  }
}

function notAnImage(name: string): SealrootError {
  const message = `Cannot find image "${name}": it is no image's id, no reference and no OCI image's tag`;
  return new SealrootError("not-found", message, {
    hint: "sealroot repo images and sealroot image list show what there is",
  });
}
