/** Asking a timestamping service (RFC 3161 3.4), through the proxies of the environment if there are any. */
import { randomBytes } from "node:crypto";
import { timestampRequest, withTimestamp } from "../../cms/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";

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
  // Few seals have one, and the room is not small.
  const { HttpClient, wholeBody } = await import("../../registry/index.ts");
  const client = new HttpClient({ isInsecure: () => false });
  const headers = { "content-type": "application/timestamp-query", accept: "application/timestamp-reply" };
  try {
    const response = await client.send({ method: "POST", url, headers, body: request });
    if (response.status !== 200) {
      response.discard();
      throw new SealrootError("failed", `it answered with status ${response.status}`);
    }
    return await wholeBody(response, ANSWER_BYTES_MAX, () => {
      return new SealrootError("no-network", `the answer exceeds ${ANSWER_BYTES_MAX} bytes`);
    });
  } catch (error) {
    const { code, message, data } = asSealrootError(error, what);
    throw new SealrootError(code, `${what}: ${message}`, { ...data, path: url.href }, error);
  } finally {
    await client.close();
  }
}
