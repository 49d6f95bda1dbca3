/** Sending manifests to a registry (OCI distribution specification, "Pushing manifests"). */
import { SealrootError } from "../../errors/index.ts";
import { referrersTag } from "../digest-tags.ts";
import {
  type Descriptor,
  describeDocument,
  documentBytes,
  type ImageIndex,
  readIndex,
  readManifest,
} from "../documents.ts";
import { MEDIA_TYPE } from "../media-types.ts";
import { findManifest, type HttpResponse, headManifest, type RegistryClient } from "../registry/index.ts";
import { uploadScopes } from "./upload-session.ts";

const CREATED = 201;
/** Some registries say this to anything, so the manifest is looked for afterwards. */
const DOUBTFUL = 200;

/**
 * Sends a manifest or index, and sees to it that the registry has it under this digest.
 *
 * A manifest about another one (`subject`) is entered in the list of those where the registry does not keep the list
 * itself (specification, "Pushing Manifests with Subject"; spec/chunked-and-policy.md 4.5).
 *
 * @param name a tag, or the digest
 * @throws SealrootError `corrupt` when the registry has something else under the name afterwards; else as
 *   RegistryClient.request
 */
export async function putManifest(
  client: RegistryClient,
  name: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
): Promise<void> {
  const answer = await put(client, name, descriptor, bytes);
  if (descriptor.mediaType !== MEDIA_TYPE.manifest) return;
  const { subject, artifactType, config, annotations } = readManifest(bytes, descriptor.digest);
  // The header says that the registry has taken note.
  if (subject === undefined || answer.headers["oci-subject"] !== undefined) return;
  await enterReferrer(client, subject.digest, {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    artifactType: artifactType ?? config.mediaType,
    ...(annotations !== undefined && { annotations }),
  });
}

async function put(
  client: RegistryClient,
  name: string,
  { mediaType, digest }: Descriptor,
  bytes: Uint8Array,
): Promise<HttpResponse> {
  const answer = await client.request("PUT", `manifests/${name}`, {
    headers: { "content-type": mediaType },
    body: bytes,
    scopes: uploadScopes(client),
    expect: [CREATED, DOUBTFUL],
    action: `Cannot write manifest ${digest} to ${client.name}`,
  });
  answer.discard();
  const announced = answer.headers["docker-content-digest"];
  if (answer.status !== CREATED || announced !== digest) await checkStored(client, name, digest, bytes.length);
  return answer;
}

/** The header may be missing, or of another algorithm: then only looking helps. */
async function checkStored(client: RegistryClient, name: string, digest: string, sizeBytes: number): Promise<void> {
  const head = await headManifest(client, name);
  const isSame = head?.digest === undefined ? head?.sizeBytes === sizeBytes : head.digest === digest;
  if (isSame) return;
  const what = `Cannot write manifest ${digest} to ${client.name}: the registry has another one under ${name} afterwards`;
  throw new SealrootError("corrupt", what, {
    path: `${client.name}:${name}`,
    expected: digest,
    actual: head?.digest ?? "nothing",
  });
}

/** The list is one more index, under a tag made of the subject's digest. */
async function enterReferrer(client: RegistryClient, subject: string, referrer: Descriptor): Promise<void> {
  const tag = referrersTag(subject);
  const found = await findManifest(client, tag);
  const isList = found?.mediaType === MEDIA_TYPE.index;
  const list: ImageIndex = isList
    ? readIndex(found.bytes, `${client.name}:${tag}`)
    : { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] };
  if (list.manifests.some(({ digest }) => digest === referrer.digest)) return;
  const bytes = documentBytes({ ...list, manifests: [...list.manifests, referrer] });
  await put(client, tag, describeDocument(MEDIA_TYPE.index, bytes), bytes);
}
