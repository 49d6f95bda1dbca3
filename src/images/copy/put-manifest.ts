/** Sending manifests to a registry (OCI distribution specification, "Pushing manifests"). */
import { SealrootError } from "../../errors/index.ts";
import {
  type Descriptor,
  documentBytes,
  type ImageIndex,
  MEDIA_TYPE,
  readIndex,
  readManifest,
  referrersTag,
} from "../../oci/index.ts";
import {
  findManifest,
  type HttpResponse,
  headManifest,
  type RegistryClient,
  retryDelayMs,
} from "../../registry/index.ts";
import { uploadScopes } from "./upload-session.ts";

const CREATED = 201;
/** Some registries answer these to anything, or before they have it: the manifest is looked for afterwards. */
const ACCEPTED = 202;
const DOUBTFUL = [200, ACCEPTED, 204];

/**
 * Sends a manifest or index, and makes sure that the registry has it under this digest.
 *
 * A manifest about another one (`subject`) is added to that one's list if the registry does not keep the list itself
 * (specification, "Pushing Manifests with Subject"; spec/chunked-and-policy.md 4.5).
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
  // The header says that the registry has noted it.
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
    expect: [CREATED, ...DOUBTFUL],
    action: `Cannot write manifest ${digest} to ${client.name}`,
  });
  answer.discard();
  const announced = answer.headers["docker-content-digest"];
  if (answer.status !== CREATED || announced !== digest) {
    await checkStored(client, name, { digest, sizeBytes: bytes.length }, answer.status === ACCEPTED);
  }
  return answer;
}

/**
 * The header may be missing, or for another algorithm: then we must look.
 * @param isPending true when the registry may need a while
 */
async function checkStored(
  client: RegistryClient,
  name: string,
  expected: { readonly digest: string; readonly sizeBytes: number },
  isPending: boolean,
): Promise<void> {
  const { digest, sizeBytes } = expected;
  const { limits } = client;
  let head = await headManifest(client, name);
  const isSame = () => (head?.digest === undefined ? head?.sizeBytes === sizeBytes : head.digest === digest);
  for (let looked = 0; isPending && !isSame() && looked < limits.retries; looked++) {
    await client.wait(retryDelayMs(limits, looked));
    head = await headManifest(client, name);
  }
  if (isSame()) return;
  const state = head === undefined ? `has none under ${name}` : `has another one under ${name}`;
  const what = `Cannot write manifest ${digest} to ${client.name}: the registry ${state} afterwards`;
  throw new SealrootError("corrupt", what, {
    path: `${client.name}:${name}`,
    expected: digest,
    actual: head?.digest ?? "nothing",
  });
}

/** Others may add theirs at the same time; this many in a row is not normal. */
const ENTER_TRIES_MAX = 30;
/** Within this time, anyone who read the list before has also written it back. */
const SETTLE_MS = 250;
const PRECONDITION_FAILED = 412;

/**
 * Adds a manifest to the list of what refers to another: one more index, under a tag derived from the subject's digest.
 *
 * Nothing stops others from writing the list between our read and our write. A registry that gives versions is asked to
 * refuse that; with others the list is read again, at once and a little later, and changed again if our entry is lost.
 *
 * @throws SealrootError `conflict` when it is lost again and again
 */
async function enterReferrer(client: RegistryClient, subject: string, referrer: Descriptor): Promise<void> {
  const tag = referrersTag(subject);
  let isWritten = false;
  for (let tries = 0; tries < ENTER_TRIES_MAX; tries++) {
    if (await hasReferrer(client, tag, referrer)) {
      if (!isWritten) return;
      await client.wait(SETTLE_MS * (1 + Math.random()));
      if (await hasReferrer(client, tag, referrer)) return;
    } else {
      isWritten = true;
      await addReferrer(client, tag, referrer);
      continue;
    }
    // Different waiting times avoid meeting the others again.
    await client.wait(SETTLE_MS * Math.random());
  }
  const what = `Cannot enter ${referrer.digest} in the list ${client.name}:${tag}: others replace the list all the time`;
  throw new SealrootError("conflict", what, { path: `${client.name}:${tag}`, hint: "try again" });
}

async function readReferrers(client: RegistryClient, tag: string) {
  const found = await findManifest(client, tag);
  const isList = found?.mediaType === MEDIA_TYPE.index;
  const list: ImageIndex = isList
    ? readIndex(found.bytes, `${client.name}:${tag}`)
    : { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] };
  return { list, etag: found?.etag };
}

async function hasReferrer(client: RegistryClient, tag: string, { digest }: Descriptor): Promise<boolean> {
  return (await readReferrers(client, tag)).list.manifests.some((entry) => entry.digest === digest);
}

async function addReferrer(client: RegistryClient, tag: string, referrer: Descriptor): Promise<void> {
  const { list, etag } = await readReferrers(client, tag);
  const bytes = documentBytes({ ...list, manifests: [...list.manifests, referrer] });
  const answer = await client.request("PUT", `manifests/${tag}`, {
    headers: { "content-type": MEDIA_TYPE.index, ...(etag !== undefined && { "if-match": etag }) },
    body: bytes,
    scopes: uploadScopes(client),
    expect: [CREATED, ...DOUBTFUL, PRECONDITION_FAILED],
    action: `Cannot write the list ${client.name}:${tag}`,
  });
  answer.discard();
}
