/** From any place to any other, without a repository: what is signed by its digest stays signed. */
import { runStep, silent } from "../../events/index.ts";
import type { Platform } from "../documents.ts";
import { runningPlatform } from "../platform.ts";
import { MACHINE_POLICY, type PolicyChoice } from "../policy/index.ts";
import type { ImageReference } from "../reference.ts";
import { openImage } from "../sources/open-image.ts";
import { openSource } from "../sources/open-source.ts";
import { copySignatures, type SharedPlace, sharedPlace } from "./copy-signatures.ts";
import { refuseReadOnly } from "./open-destination.ts";
import { type PushOptions, toDestination } from "./push-image.ts";
import { sourceContent } from "./source-content.ts";
import { type WrittenContent, writeImage } from "./write-image.ts";

export interface CopyOptions extends PushOptions {
  /** What decides whether an image may be copied; the machine's policy when absent. */
  readonly policy?: PolicyChoice | undefined;
  /** Copy what belongs to the image too: signatures, attestations. The manifest then stays as it is. */
  readonly signatures?: boolean | undefined;
  /** Which image of several is copied; that of the running machine when absent. */
  readonly platform?: Platform | undefined;
}

/**
 * Copies one image. Blobs and manifest are the same bytes at the destination, unless another packing is asked for.
 *
 * @throws SealrootError as openImage, openDestination and writeImage; nothing has a name at the destination then
 */
export async function copyImage(
  source: ImageReference,
  target: ImageReference,
  options: CopyOptions = {},
): Promise<WrittenContent> {
  const events = options.events ?? silent;
  const { platform = runningPlatform(), policy = MACHINE_POLICY, registry } = options;
  refuseReadOnly(target);
  const beside = options.signatures === true ? sharedPlace(target) : undefined;
  const preserveDigests = beside !== undefined || options.preserveDigests;
  const image = await runStep(events, "read image", () => openImage(source, { platform, policy, registry }));
  let written: WrittenContent;
  try {
    written = await toDestination(target, { ...options, mountFrom: options.mountFrom ?? source }, (destination) =>
      writeImage(sourceContent(image), destination, "named", { ...options, preserveDigests, events }),
    );
  } finally {
    await image.close();
  }
  if (beside !== undefined) await signaturesOf(source, written.descriptor.digest, beside, options);
  return written;
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
