/** Asking a timestamping service (RFC 3161 3.4). */
import { randomBytes } from "node:crypto";
import { timestampRequest, withTimestamp } from "../../cms/index.ts";
import { reasonOf, SealrootError } from "../../errors/index.ts";

const TIMEOUT_MS = 60_000;
/** A token with a chain of certificates has about 6 KiB. */
const ANSWER_BYTES_MAX = 1 << 18;
const NONCE_BYTES = 8;

/**
 * @param contentInfo the signature message
 * @throws SealrootError `usage` for another kind of address, `no-network`, `timeout`, `failed`; as withTimestamp
 */
export async function timestamped(
  contentInfo: Uint8Array,
  url: string,
): Promise<{ readonly contentInfo: Uint8Array; readonly time: Date }> {
  const address = requireServiceUrl(url);
  const nonce = randomBytes(NONCE_BYTES);
  // Positive, and without a zero in front, which DER would drop.
  nonce.writeUInt8((nonce.readUInt8(0) & 0x3f) | 0x40, 0);
  const answer = await ask(address, await timestampRequest(contentInfo, nonce));
  return withTimestamp(contentInfo, answer, nonce);
}

/** @throws SealrootError `usage` */
export function requireServiceUrl(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (address !== undefined && ["http:", "https:"].includes(address.protocol)) return address;
  throw new SealrootError("usage", `Cannot use the timestamping service ${url}: it is no http or https address`);
}

async function ask(url: URL, request: Uint8Array): Promise<Uint8Array> {
  const what = `Cannot get a time stamp from ${url.host}`;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let body: Uint8Array;
  try {
    const headers = { "content-type": "application/timestamp-query", accept: "application/timestamp-reply" };
    response = await fetch(url, { method: "POST", headers, body: Uint8Array.from(request), signal });
    body = await boundedBody(response);
  } catch (error) {
    const code = signal.aborted ? "timeout" : "no-network";
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new SealrootError(code, `${what}: ${reasonOf(cause)}`, { path: url.href }, error);
  }
  if (response.ok) return body;
  throw new SealrootError("failed", `${what}: it answered with status ${response.status}`, { path: url.href });
}

async function boundedBody(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) throw new Error(`the answer exceeds ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
