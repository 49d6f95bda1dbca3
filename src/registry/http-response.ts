/** An answer over HTTP, its body watched for stalls. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { SealrootError } from "../errors/index.ts";
import { networkError } from "./network-error.ts";
import type { RegistryLimits } from "./options.ts";

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  /**
   * The body as it comes. Leaving the loop early closes the connection.
   * @throws SealrootError `timeout` when it stalls, `no-network` when it is cut short of its Content-Length
   */
  body(): AsyncGenerator<Uint8Array>;
  /** Discards a body nobody wants to read. */
  discard(): void;
}

/**
 * A whole body, for documents.
 * @param tooLarge makes the error for one of more than `maxBytes`, which is not read further
 * @throws SealrootError as {@link HttpResponse.body}
 */
export async function wholeBody(
  response: HttpResponse,
  maxBytes: number,
  tooLarge: () => SealrootError,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of response.body()) {
    sizeBytes += part.length;
    if (sizeBytes > maxBytes) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Bodies up to this size are read to their end when discarded, so that their connection can serve again. */
const DRAINED_BYTES_MAX = 64 * 1024;

/** The answer after its head has arrived. */
export function httpResponse(message: IncomingMessage, url: URL, limits: RegistryLimits): HttpResponse {
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    url,
    body: () => watchedBody(message, url, limits),
    discard: () => discard(message),
  };
}

function discard(message: IncomingMessage): void {
  // Whatever still happens to this connection does not matter.
  message.on("error", () => {});
  const length = Number(message.headers["content-length"] ?? Number.NaN);
  // An answer to HEAD is complete, whatever length it states.
  if (message.complete || length <= DRAINED_BYTES_MAX) message.resume();
  else message.destroy();
}

/** Only time spent waiting counts: a consumer may be as slow as it likes. */
async function* watchedBody(message: IncomingMessage, url: URL, limits: RegistryLimits): AsyncGenerator<Uint8Array> {
  const parts: AsyncIterator<Buffer> = message[Symbol.asyncIterator]();
  let waitedMs = 0;
  let spanBytes = 0;
  try {
    for (;;) {
      const startedMs = performance.now();
      const part = await within(parts.next(), limits.stallTimeoutMs - waitedMs, () => message.destroy());
      if (part === undefined) {
        const state = `less than ${limits.stallBytes} bytes in ${limits.stallTimeoutMs} ms`;
        throw new SealrootError("timeout", `Cannot wait for ${url.host}: ${state}`, { path: url.host });
      }
      if (part.done === true) return;
      waitedMs += performance.now() - startedMs;
      spanBytes += part.value.length;
      if (spanBytes >= limits.stallBytes) {
        waitedMs = 0;
        spanBytes = 0;
      }
      yield part.value;
    }
  } catch (error) {
    throw networkError(error, url);
  } finally {
    message.on("error", () => {});
    if (!message.complete) message.destroy();
  }
}

/** The promise's value, or undefined after `timeoutMs`. */
async function within<T>(promise: Promise<T>, timeoutMs: number, giveUp: () => void): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(timeoutMs, 0));
  });
  try {
    const first = await Promise.race([promise, late]);
    if (first === undefined) {
      promise.catch(() => {});
      giveUp();
    }
    return first;
  } finally {
    clearTimeout(timer);
  }
}
