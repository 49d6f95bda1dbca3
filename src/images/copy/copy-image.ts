/** From any place to any other, without a repository: what is signed by its digest stays signed. */
import { runStep, silent } from "../../events/index.ts";
import type { ImageReference, Platform } from "../../oci/index.ts";
import { runningPlatform } from "../../oci/index.ts";
import { loadPolicy, MACHINE_POLICY, type PolicyChoice } from "../../policy/index.ts";
import { openImage } from "../sources/open-image.ts";
import { openSource } from "../sources/open-source.ts";
import { copySignatures, type SharedPlace, sharedPlace } from "./copy-signatures.ts";
import type { ImageDestination } from "./destination.ts";
import { toDestination } from "./open-destination.ts";
import { sourceContent } from "./source-content.ts";
import { type PushOptions, type WrittenContent, writeImage } from "./write-image.ts";

export interface CopyOptions extends PushOptions {
  /** Decides whether an image may be copied; the machine's policy if absent. */
  readonly policy?: PolicyChoice | undefined;
  /** Also copy what belongs to the image: signatures, attestations. The manifest then stays unchanged. */
  readonly signatures?: boolean | undefined;
  /** Which of several images is copied; the running machine's if absent. */
  readonly platform?: Platform | undefined;
}

/**
 * Copies one image. Blobs and manifest are the same bytes at the destination, unless another packing is requested. The
 * source is read once the policy is known and the destination is open.
 *
 * @throws SealrootError as openImage, openDestination and writeImage; nothing has a name at the destination then
 */
export async function copyImage(
  source: ImageReference,
  target: ImageReference,
  options: CopyOptions = {},
): Promise<WrittenContent> {
  const { platform, policy = MACHINE_POLICY } = options;
  const beside = options.signatures === true ? sharedPlace(target) : undefined;
  const preserveDigests = beside !== undefined || options.preserveDigests;
  await loadPolicy(policy);
  const destinationOptions = { ...options, mountFrom: options.mountFrom ?? source, checkRights: true };
  const written = await toDestination(target, destinationOptions, (destination) =>
    copyInto(destination, source, { ...options, platform, policy, preserveDigests }),
  );
  if (beside !== undefined) await signaturesOf(source, written.descriptor.digest, beside, options);
  return written;
}

/**
 * Copies one image to an open destination, which stays open.
 * @throws SealrootError as openImage and writeImage
 */
export async function copyInto(
  destination: ImageDestination,
  source: ImageReference,
  options: Omit<CopyOptions, "mountFrom" | "signatures">,
): Promise<WrittenContent> {
  const { events = silent, platform = runningPlatform(), policy = MACHINE_POLICY, registry } = options;
  const image = await runStep(events, "read image", () => openImage(source, { platform, policy, registry }));
  try {
    return await writeImage(sourceContent(image), destination, "named", { ...options, events });
  } finally {
    await image.close();
  }
}

async function signaturesOf(
  reference: ImageReference,
  digest: string,
  target: SharedPlace,
  { registry, events = silent }: CopyOptions,
): Promise<void> {
  const source = await openSource(reference, registry);
  try {
    await runStep(events, "copy signatures", () => copySignatures(source, [digest], target, { registry }));
  } finally {
    await source.close();
  }
}
