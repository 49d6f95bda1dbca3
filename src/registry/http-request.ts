/** One request and its answer over node:http and node:https; no retries, redirects or credentials of its own. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { Agents } from "./agents.ts";
import { type HttpResponse, httpResponse } from "./http-response.ts";
import { networkError } from "./network-error.ts";
import type { RegistryLimits } from "./options.ts";

export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Bytes, or a function that makes them in pieces, each valid until the next is requested: called again when the request is sent
   * again.
   */
  readonly body?: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

/**
 * Sends a request and waits for the head of the answer.
 * @throws SealrootError `no-network`; `no-access` for a certificate that is not accepted; `timeout`
 */
export async function sendOnce(request: HttpRequest, agents: Agents, limits: RegistryLimits): Promise<HttpResponse> {
  const { url, method, body } = request;
  const agent = await agents.for(url);
  const length = body instanceof Uint8Array ? { "content-length": String(body.length) } : {};
  const headers = { ...length, ...request.headers };
  const sent = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, { method, headers, agent });
  const answer = headOf(sent, url, limits);
  try {
    if (body === undefined) sent.end();
    else await Promise.race([sendBody(sent, body), answer]);
    return httpResponse(await answer, url, limits);
  } catch (error) {
    answer.catch(() => {});
    sent.destroy();
    throw networkError(error, url);
  }
}

/** A server may answer before it has read the body, and close: then the answer counts, not the broken pipe. */
async function sendBody(sent: ClientRequest, body: NonNullable<HttpRequest["body"]>): Promise<void> {
  if (body instanceof Uint8Array) sent.end(body);
  else await pipeline(Readable.from(toldApart(body()), { objectMode: false }), sent);
}

/**
 * A failure while the body is made is not the network's fault. The connection still has a piece when the next one is asked for,
 * and until then only it is valid.
 */
async function* toldApart(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of parts) yield Uint8Array.from(part);
  } catch (error) {
    throw asSealrootError(error, "Cannot read the data to send");
  }
}

function headOf(sent: ClientRequest, url: URL, limits: RegistryLimits): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const late = (what: string, timeoutMs: number, code: "timeout" | "no-network") => {
      const error = new SealrootError(code, `Cannot ${what} ${url.host}: no answer after ${timeoutMs} ms`, {
        path: url.host,
      });
      return setTimeout(() => sent.destroy(error), timeoutMs);
    };
    let timer: NodeJS.Timeout | undefined;
    sent.on("socket", (socket) => {
      // A connection kept from an earlier request is already made.
      if (!socket.connecting) return;
      timer = late("connect to", limits.connectTimeoutMs, "no-network");
      socket.once(url.protocol === "https:" ? "secureConnect" : "connect", () => clearTimeout(timer));
    });
    // Node tells when a connection was idle. That is fine while the body is still being made, but not while it waits to
    // be sent.
    sent.setTimeout(limits.stallTimeoutMs, () => {
      if (sent.writableLength === 0) return;
      const state = `it took nothing for ${limits.stallTimeoutMs} ms`;
      sent.destroy(new SealrootError("timeout", `Cannot send to ${url.host}: ${state}`, { path: url.host }));
    });
    sent.on("finish", () => {
      clearTimeout(timer);
      timer = late("wait for", limits.headTimeoutMs, "timeout");
    });
    sent.on("response", (message) => {
      clearTimeout(timer);
      resolve(message);
    });
    sent.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.on("close", () => clearTimeout(timer));
  });
}
