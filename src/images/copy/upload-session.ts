/**
 * An upload that a registry has opened: where it continues, how far it is (OCI distribution specification, "Pushing
 * blobs").
 */
import { SealrootError } from "../../errors/index.ts";
import type { HttpResponse, RegistryClient } from "../../registry/index.ts";

const ACCEPTED = 202;
const NO_CONTENT = 204;

/** A place in the registry that receives the bytes of one blob. */
export class UploadSession {
  /** Where the next request goes: every answer may name another place, which replaces the old one. */
  readonly location: URL;
  /** Smallest part that the registry accepts, except for the last. */
  readonly chunkMinBytes: number;

  constructor(location: URL, chunkMinBytes: number) {
    this.location = location;
    this.chunkMinBytes = chunkMinBytes;
  }

  /** @throws SealrootError `failed` when the answer names no place */
  static opened(answer: HttpResponse, action: string): UploadSession {
    const minimum = Number(answer.headers["oci-chunk-min-length"] ?? 0);
    const location = locationOf(answer);
    if (location !== undefined) return new UploadSession(location, Number.isSafeInteger(minimum) ? minimum : 0);
    throw new SealrootError("failed", `${action}: ${answer.url.host} did not say where`, { path: answer.url.host });
  }

  /** Its state after an answer. */
  after(answer: HttpResponse): UploadSession {
    return new UploadSession(locationOf(answer) ?? this.location, this.chunkMinBytes);
  }

  /** The place that names the upload; the registry's own parameters stay. */
  withDigest(digest: string): URL {
    const url = new URL(this.location);
    url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`;
    return url;
  }
}

/** What a token must allow for writing. */
export function uploadScopes(client: RegistryClient): readonly string[] {
  return [client.scope("pull,push")];
}

/** True when the repository has the blob. @throws SealrootError as RegistryClient.request */
export async function hasBlob(client: RegistryClient, digest: string): Promise<boolean> {
  const answer = await client.request("HEAD", `blobs/${digest}`, {
    scopes: uploadScopes(client),
    expect: [200, 404],
    action: `Cannot look for blob ${digest} in ${client.name}`,
  });
  answer.discard();
  return answer.status === 200;
}

/** @throws SealrootError as RegistryClient.request */
export async function beginUpload(client: RegistryClient, action: string): Promise<UploadSession> {
  const answer = await client.request("POST", "blobs/uploads/", {
    headers: { "content-length": "0" },
    scopes: uploadScopes(client),
    expect: [ACCEPTED],
    // A superfluous upload does no harm.
    repeatable: true,
    action,
  });
  answer.discard();
  return UploadSession.opened(answer, action);
}

/**
 * How far the registry got; undefined if it has lost the upload, or cannot say.
 * @throws SealrootError as RegistryClient.request
 */
export async function offsetOf(
  client: RegistryClient,
  session: UploadSession,
  action: string,
): Promise<{ readonly session: UploadSession; readonly offset: number } | undefined> {
  const scopes = uploadScopes(client);
  const answer = await client.requestOrRefusal("GET", session.location, {
    scopes,
    expect: [NO_CONTENT, 200, 202],
    action,
  });
  if ("error" in answer) return undefined;
  answer.discard();
  const last = /^(?:bytes=)?0-(\d+)$/.exec(String(answer.headers.range ?? ""))?.[1];
  // One byte and none are written the same way (spec/chunked-and-policy.md 4.4).
  if (last === undefined || last === "0") return undefined;
  return { session: session.after(answer), offset: Number(last) + 1 };
}

/** Tells the registry that nothing more comes; its answer does not matter. */
export async function endUpload(client: RegistryClient, session: UploadSession): Promise<void> {
  const request = {
    scopes: uploadScopes(client),
    expect: [NO_CONTENT],
    repeatable: false,
    action: `Cannot end an upload to ${client.name}`,
  };
  const answer = await client.requestOrRefusal("DELETE", session.location, request).catch(() => undefined);
  if (answer !== undefined && !("error" in answer)) answer.discard();
}

/** A Location may be relative, and on another host (RFC 9110 section 10.2.2). */
function locationOf(answer: HttpResponse): URL | undefined {
  const { location } = answer.headers;
  return location === undefined ? undefined : (URL.parse(location, answer.url.href) ?? undefined);
}
