/** Which EROFS image a verb is about: one of the list of images, or that of an OCI image. */
import { SealrootError } from "../../errors/index.ts";
import type { StoredImage } from "../../imagestore/index.ts";
import type { LinkEntry, Repository } from "../../repository/index.ts";
import type { ArgumentSpecification, Invocation, OptionSpecification } from "./command.ts";

export const IMAGE_ARGUMENT = {
  name: "IMAGE",
  summary: "an image's id, the name of a reference, or an OCI image's tag or digest; ids may be cut",
  holds: "image",
} as const satisfies ArgumentSpecification;

export const IMAGE_OPTIONS = [
  { flags: "--bootable", summary: "of an OCI image, the boot variant" },
] as const satisfies readonly OptionSpecification[];

type ImageCall = Invocation<typeof IMAGE_OPTIONS, readonly [typeof IMAGE_ARGUMENT]>;

/** What names an OCI image of a repository, for verbs about only these. */
export const OCI_IMAGE_SUMMARY = "a tag, or the digest of a manifest, whole or its first digits";

/**
 * Finds what IMAGE names: an id or a reference, else the OCI image with this tag or manifest digest; both kinds of digests
 * may be cut to their first digits.
 * @throws SealrootError `not-found`, `corrupt`; `usage` when several ids begin like that
 */
export async function imageArgument(invocation: ImageCall, repository: Repository): Promise<LinkEntry> {
  const name = invocation.argument("IMAGE");
  const named = registeredImage(repository, name);
  if (named !== undefined) return named;
  // Only OCI names need that room.
  const { findImage, manifestsBeginningWith, taggedManifest } = await import("../../imagestore/index.ts");
  if (taggedManifest(repository, name) !== undefined || name.startsWith("@")) {
    return erofsImage(invocation, repository, await findImage(repository, name));
  }
  const { onlyCandidate } = await import("../../repository/index.ts");
  const candidates = [...repository.images.beginningWith(name), ...manifestsBeginningWith(repository, name)];
  const found = onlyCandidate(name, candidates);
  if (found === undefined) throw notAnImage(name);
  return "entry" in found ? found : erofsImage(invocation, repository, await findImage(repository, found.digest));
}

async function erofsImage(invocation: ImageCall, repository: Repository, image: StoredImage): Promise<LinkEntry> {
  const { imageKey } = await import("../../imagestore/index.ts");
  const bootable = invocation.flag("bootable");
  const id = image.images.get(imageKey({ version: repository.formats.default, bootable, keepUserXattrs: false }));
  if (id !== undefined) return repository.images.resolve(id);
  const name = invocation.argument("IMAGE");
  throw new SealrootError("not-found", `Cannot use "${name}": the repository has no such EROFS image of it`, {
    hint: bootable ? "pull it with --bootable" : "pull it again, or give --bootable for the boot variant",
  });
}

/** A name that cannot be a reference's, such as `docker://…`, may still be a tag. */
function registeredImage(repository: Repository, name: string): LinkEntry | undefined {
  try {
    return repository.images.named(name);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "usage") return undefined;
    throw error;
  }
}

function notAnImage(name: string): SealrootError {
  const message = `Cannot find image "${name}": it is not an image's id, a reference or an OCI image's tag`;
  return new SealrootError("not-found", message, {
    hint: "sealroot repo images and sealroot image list show what there is",
  });
}
