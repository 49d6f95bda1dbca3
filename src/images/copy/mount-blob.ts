/** Blobs that a registry has in another of its repositories (OCI distribution specification, "Mounting a blob"). */
import type { BlobName } from "../../oci/index.ts";
import type { RegistryClient } from "../../registry/index.ts";
import { endUpload, UploadSession, uploadScopes } from "./upload-session.ts";

const CREATED = 201;

/**
 * Has the registry add a blob of another repository to this one. Whether it is there is checked first: a registry that
 * cannot mount opens an upload instead, which must be ended (spec/chunked-and-policy.md 4.4).
 *
 * @param from the other repository
 * @returns false when the blob must be sent
 */
export async function mountBlob(client: RegistryClient, blob: BlobName, from: string): Promise<boolean> {
  const { digest } = blob;
  // A token has a scope for each repository.
  const scopes = [...uploadScopes(client), `repository:${from}:pull`];
  const action = `Cannot take blob ${digest} over from ${from}`;
  const source = await client.requestOrRefusal("HEAD", `/v2/${from}/blobs/${digest}`, { scopes, action });
  if ("error" in source) return false;
  source.discard();
  const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const answer = await client.requestOrRefusal("POST", `blobs/uploads/?${query}`, {
    headers: { "content-length": "0" },
    scopes,
    expect: [CREATED, 202],
    repeatable: true,
    action,
  });
  if ("error" in answer) return false;
  answer.discard();
  if (answer.status === CREATED) return true;
  // If the registry does not say where it is, it must end it itself.
  if (answer.headers.location !== undefined) await endUpload(client, UploadSession.opened(answer, action));
  return false;
}
