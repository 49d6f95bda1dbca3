/** From any place to any other: an index with everything below it. */
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep, silent } from "../../events/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import {
  type Descriptor,
  DOCKER_MEDIA_TYPE,
  formatReference,
  type ImageReference,
  MEDIA_TYPE,
  readDockerManifest,
  readIndex,
  readManifest,
} from "../../oci/index.ts";
import {
  enforcePolicy,
  loadPolicy,
  MACHINE_POLICY,
  type PolicyChoice,
  type SignedDocument,
} from "../../policy/index.ts";
import { openSource } from "../sources/open-source.ts";
import type { CopyOptions } from "./copy-image.ts";
import { copySignatures, sharedPlace } from "./copy-signatures.ts";
import type { ImageDestination } from "./destination.ts";
import { toDestination } from "./open-destination.ts";
import { verbatimContent } from "./source-content.ts";
import { writeImage } from "./write-image.ts";

/** Nobody needs an index in an index in an index. */
const INDEX_MAX_DEPTH = 4;
/** Manifests and indexes below one reference; each costs several requests. */
const ENTRIES_MAX = 1024;

/**
 * Copies what a reference names with everything below it: an index with the images of all platforms, or one image.
 * Docker manifests stay as they are. The policy is asked about every image; for one in an index, a signature on the
 * index will do.
 *
 * @returns the descriptor of the index or image
 * @throws SealrootError `usage` when the reference names several things; else as {@link copyImage}
 */
export async function copyAllImages(
  reference: ImageReference,
  target: ImageReference,
  options: Omit<CopyOptions, "packing" | "platform"> = {},
): Promise<Descriptor> {
  const { events = silent, policy = MACHINE_POLICY, registry } = options;
  const beside = options.signatures === true ? sharedPlace(target) : undefined;
  await loadPolicy(policy);
  const mountFrom = options.mountFrom ?? reference;
  let source: ImageSource | undefined;
  try {
    const digests: string[] = [];
    const { opened, entry } = await toDestination(
      target,
      { ...options, mountFrom, checkRights: true },
      async (destination) => {
        const opened = await runStep(events, "read image", () => openSource(reference, registry));
        source = opened;
        const [entry, ...others] = opened.index.manifests;
        if (entry === undefined || others.length > 0) throw notOne(reference, opened);
        await copyEntry({ reference, policy, source: opened, destination, digests, events }, entry, "named", []);
        return { opened, entry };
      },
    );
    if (beside !== undefined) {
      await runStep(events, "copy signatures", () => copySignatures(opened, digests, beside, { registry }));
    }
    return entry;
  } finally {
    await source?.close();
  }
}

interface Route {
  readonly reference: ImageReference;
  readonly policy: PolicyChoice;
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  /** Gets the digest of every manifest and index that was copied. */
  readonly digests: string[];
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
    throw new SealrootError("unsupported", `Cannot copy image index ${entry.digest}: it is nested too deep`);
  }
  // An index may list one twice.
  if (route.digests.includes(entry.digest)) return;
  const bytes = await source.readManifest(entry);
  const document = { digest: entry.digest, bytes };
  route.digests.push(entry.digest);
  if (entry.mediaType === MEDIA_TYPE.index || entry.mediaType === DOCKER_MEDIA_TYPE.list) {
    const { manifests } = readIndex(bytes, entry.digest);
    const distinct = new Set([...route.digests, ...manifests.map(({ digest }) => digest)]);
    if (distinct.size > ENTRIES_MAX) {
      throw new SealrootError("unsupported", `Cannot copy all images: there are more than ${ENTRIES_MAX}`);
    }
    for (const inner of manifests) {
      await copyEntry(route, inner, "part", [...indexes, document]);
    }
    await destination.putManifest(entry, bytes, role);
    return;
  }
  const { signatures } = source;
  await enforcePolicy(policy, {
    ...{ reference, place: source.place, signatures },
    manifest: document,
    indexDigests: indexes.map(({ digest }) => digest),
    indexes: async () => indexes,
  });
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
