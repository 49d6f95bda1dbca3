/** From any place to any other, without a repository: what is signed by its digest stays signed. */
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep, silent } from "../../events/index.ts";
import { type Descriptor, type Platform, readDockerManifest, readIndex, readManifest } from "../documents.ts";
import { type ImageSource, openSource } from "../image-source.ts";
import { DOCKER_MEDIA_TYPE, MEDIA_TYPE } from "../media-types.ts";
import { runningPlatform } from "../platform.ts";
import { enforcePolicy, MACHINE_POLICY, type PolicyChoice, type SignedDocument } from "../policy/index.ts";
import { formatReference, type ImageReference } from "../reference.ts";
import { openImage } from "../source.ts";
import type { ImageDestination } from "./destination.ts";
import { type PushOptions, toDestination } from "./push-image.ts";
import { sourceContent, verbatimContent } from "./source-content.ts";
import { type WrittenContent, writeImage } from "./write-image.ts";

/** An index in an index in an index is nobody's image. */
const INDEX_MAX_DEPTH = 4;

export interface CopyOptions extends PushOptions {
  /** What decides whether an image may be copied; the machine's policy when absent. */
  readonly policy?: PolicyChoice | undefined;
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
  const image = await runStep(events, "read image", () => openImage(source, { platform, policy, registry }));
  try {
    return await toDestination(target, { ...options, mountFrom: options.mountFrom ?? source }, (destination) =>
      writeImage(sourceContent(image), destination, "named", { ...options, events }),
    );
  } finally {
    await image.close();
  }
}

/**
 * Copies what a reference names with everything below it: an index with the images of all platforms, or one image.
 * Docker's manifests stay Docker's. The policy is asked about every image; for one in an index, a signature on the index
 * will do.
 *
 * @returns the descriptor of the index or image
 * @throws SealrootError `usage` when the reference names several things; else as {@link copyImage}
 */
export async function copyAllImages(
  reference: ImageReference,
  target: ImageReference,
  options: Omit<CopyOptions, "packing" | "platform"> = {},
): Promise<Descriptor> {
  const { events = silent, policy = MACHINE_POLICY } = options;
  const source = await runStep(events, "read image", () => openSource(reference, options.registry));
  try {
    const [entry, ...others] = source.index.manifests;
    if (entry === undefined || others.length > 0) throw notOne(reference, source);
    return await toDestination(
      target,
      { ...options, mountFrom: options.mountFrom ?? reference },
      async (destination) => {
        await copyEntry({ reference, policy, source, destination, events }, entry, "named", []);
        return entry;
      },
    );
  } finally {
    await source.close();
  }
}

interface Route {
  readonly reference: ImageReference;
  readonly policy: PolicyChoice;
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly events: EventSink;
}

/** @param indexes those that the entry was found in */
async function copyEntry(
  route: Route,
  entry: Descriptor,
  role: "named" | "part",
  indexes: readonly SignedDocument[],
): Promise<void> {
  const { reference, policy, source, destination, events } = route;
  if (indexes.length > INDEX_MAX_DEPTH) {
    throw new SealrootError("unsupported", `Cannot copy image index ${entry.digest}: it lies too deep in others`);
  }
  const bytes = await source.readManifest(entry);
  const document = { digest: entry.digest, bytes };
  if (entry.mediaType === MEDIA_TYPE.index || entry.mediaType === DOCKER_MEDIA_TYPE.list) {
    for (const inner of readIndex(bytes, entry.digest).manifests) {
      await copyEntry(route, inner, "part", [...indexes, document]);
    }
    await destination.putManifest(entry, bytes, role);
    return;
  }
  const { signatures } = source;
  await enforcePolicy(policy, { reference, manifest: document, indexes: async () => indexes, signatures });
  const read = entry.mediaType === DOCKER_MEDIA_TYPE.manifest ? readDockerManifest : readManifest;
  const content = await verbatimContent(source, entry, read(bytes, entry.digest), bytes);
  await writeImage(content, destination, role, { preserveDigests: true, events });
}

function notOne(reference: ImageReference, source: ImageSource): SealrootError {
  const text = formatReference(reference);
  return new SealrootError("usage", `Cannot copy ${text}: it names ${source.index.manifests.length} images`, {
    path: text,
    hint: "name one by its tag",
  });
}
