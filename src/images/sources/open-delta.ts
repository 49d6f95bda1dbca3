/**
 * An oci-delta artifact: what an image has beyond another one (github.com/containers/oci-delta, "Delta file format"). It carries
 * manifest and configuration of the image that it leads to, and may carry signatures; all are checked as if the image itself had
 * been opened.
 */
import { statSync } from "node:fs";
import { asSealrootError, corrupt, SealrootError } from "../../errors/index.ts";
import {
  cosignTag,
  type Descriptor,
  type ImageConfig,
  type ImageReference,
  type ImageSource,
  isDigest,
  MEDIA_TYPE,
  readConfig,
  readManifest,
  runningPlatform,
  type SignatureStore,
} from "../../oci/index.ts";
import { enforcePolicy, loadPolicy, MACHINE_POLICY } from "../../policy/index.ts";
import { chooseImage } from "./choose-image.ts";
import { type OpenedImage, type OpenImageOptions, policyPlace } from "./open-image.ts";
import { openSource } from "./open-source.ts";

const DELTA_MEDIA_TYPE = "application/vnd.io.github.containers.oci-delta.v1";
const PREFIX = "io.github.containers.delta";
const CONTENT = `${PREFIX}.content`;
const TO = `${PREFIX}.to`;
const SOURCE_CONFIG = `${PREFIX}.source-config`;

/** The image that a delta leads to, and what is needed to make it. Closing the image closes the delta. */
export interface OpenedDelta {
  /** Its blobs are those of the delta, and its layers have to be made. */
  readonly image: OpenedImage & { readonly config: ImageConfig };
  /** Digest of the configuration of the image that it starts from. */
  readonly sourceConfigDigest: string;
  /** Blobs of the delta by the digest of the image's layer that each makes. */
  readonly layers: ReadonlyMap<string, Descriptor>;
}

/**
 * Opens a delta in an archive or a directory (an OCI layout). The image it leads to must satisfy the policy of the name in
 * `options.identity`.
 *
 * @throws SealrootError as openImage; `usage` for what is not a delta, `corrupt` for one that contradicts itself
 */
export async function openDelta(path: string, options: OpenImageOptions = {}): Promise<OpenedDelta> {
  const policy = options.policy ?? MACHINE_POLICY;
  await loadPolicy(policy);
  const reference = deltaReference(path);
  const source = await openSource(reference, options.registry);
  try {
    const delta = await readDelta(source, reference, path);
    const { image } = delta;
    await enforcePolicy(policy, {
      reference: options.identity ?? reference,
      place: policyPlace(options, source),
      manifest: { digest: image.descriptor.digest, bytes: image.manifestBytes },
      indexDigests: [],
      indexes: async () => [],
      signatures: delta.signatures,
    });
    return delta;
  } catch (error) {
    await source.close();
    throw error;
  }
}

function deltaReference(path: string): ImageReference {
  try {
    return { transport: statSync(path).isDirectory() ? "oci" : "oci-archive", path, tag: undefined };
  } catch (error) {
    throw asSealrootError(error, `Cannot open the delta ${path}`, { path });
  }
}

async function readDelta(
  source: ImageSource,
  reference: ImageReference,
  path: string,
): Promise<OpenedDelta & { readonly signatures: SignatureStore }> {
  const { manifest: artifact } = await chooseImage(source, reference, runningPlatform());
  if (artifact.artifactType !== DELTA_MEDIA_TYPE) {
    throw new SealrootError("usage", `Cannot use ${path} as a delta: it is not one`, {
      path,
      expected: DELTA_MEDIA_TYPE,
      actual: artifact.artifactType ?? "an image",
      hint: "an image in a file is taken with --source-imgref oci-archive:FILE",
    });
  }
  const parts = (content: string) => artifact.layers.filter(({ annotations }) => annotations?.[CONTENT] === content);
  const one = (content: string): Descriptor => {
    const [first, ...others] = parts(content);
    if (first !== undefined && others.length === 0) return first;
    throw corrupt(
      `Cannot read the delta ${path}: it has ${others.length + Number(first !== undefined)} parts "${content}"`,
      {
        path,
      },
    );
  };
  const sourceConfigDigest = artifact.annotations?.[SOURCE_CONFIG] ?? "";
  if (!isDigest(sourceConfigDigest))
    throw corrupt(`Cannot read the delta ${path}: it does not say what it starts from`);
  const descriptor = { ...one("image-manifest"), mediaType: MEDIA_TYPE.manifest };
  const manifestBytes = await source.blobs.readWhole(descriptor);
  const manifest = readManifest(manifestBytes, `${path}, the image's manifest`);
  const embedded = one("image-config");
  if (embedded.digest !== manifest.config.digest || manifest.config.mediaType !== MEDIA_TYPE.config) {
    throw corrupt(`Cannot read the delta ${path}: its configuration is not that of its manifest`, {
      path,
      expected: manifest.config.digest,
      actual: embedded.digest,
    });
  }
  const configBytes = await source.blobs.readWhole(embedded);
  const config = readConfig(configBytes, `${path}, the image's configuration`);
  const { blobs, remote } = source;
  const plain: Descriptor = { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size };
  return {
    image: {
      ...{ descriptor: plain, manifest, manifestBytes, config, configBytes, indexes: [], remote, unpacked: undefined },
      original: { descriptor: plain, manifestBytes },
      // Not in ranges: no layer of the image is a blob here.
      blobs: { read: (blob) => blobs.read(blob), readWhole: (blob) => blobs.readWhole(blob) },
      close: () => source.close(),
    },
    sourceConfigDigest,
    layers: layersOf(parts("image-layer"), path),
    signatures: await signaturesOf(source, plain.digest, parts("cosign-signature")),
  };
}

function layersOf(parts: readonly Descriptor[], path: string): Map<string, Descriptor> {
  const layers = new Map<string, Descriptor>();
  for (const part of parts) {
    const digest = part.annotations?.[TO] ?? "";
    if (!isDigest(digest) || layers.has(digest)) {
      const what = layers.has(digest) ? "two parts make the layer" : "a part does not say which layer it makes:";
      throw corrupt(`Cannot read the delta ${path}: ${what} ${digest}`, { path });
    }
    layers.set(digest, part);
  }
  return layers;
}

/** Embedded ones, as a registry would have them: by cosign's tag, or as referrers of the manifest. */
async function signaturesOf(
  { blobs }: ImageSource,
  manifestDigest: string,
  parts: readonly Descriptor[],
): Promise<SignatureStore> {
  const fetchManifest = async (descriptor: Descriptor) => ({
    mediaType: descriptor.mediaType,
    bytes: await blobs.readWhole(descriptor),
  });
  const referrers: Descriptor[] = [];
  const tagged: Descriptor[] = [];
  for (const part of parts) {
    const manifest = readManifest(await blobs.readWhole(part), "a signature of the delta");
    if (manifest.subject?.digest === manifestDigest) {
      const { artifactType } = manifest;
      referrers.push({ ...part, ...(artifactType === undefined ? {} : { artifactType }) });
    } else tagged.push(part);
  }
  const [first] = tagged;
  return {
    fetchTagged: async (tag) =>
      first !== undefined && tag === cosignTag(manifestDigest, "sig") ? fetchManifest(first) : undefined,
    fetchManifest,
    blobs,
    listReferrers: async (digest) => (digest === manifestDigest ? referrers : []),
  };
}
