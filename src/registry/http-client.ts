/** Requests with the patience and caution that registries need: retries, redirects, bounded waits. */
import { SealrootError } from "../errors/index.ts";
import { type EventSink, silent } from "../events/index.ts";
import { type HostPaths, hostPaths } from "../oci/index.ts";
import { Agents } from "./agents.ts";
import { type HttpRequest, sendOnce } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { isPassing } from "./network-error.ts";
import { DEFAULT_LIMITS, type RegistryLimits, type RegistryOptions } from "./options.ts";
import { isPassingStatus, retryDelayMs, waitFor } from "./retry.ts";
import { userAgent } from "./user-agent.ts";

const REDIRECTS_MAX = 10;
/** These keep the method and the body (RFC 9110 section 15.4); the older ones are followed only for reading. */
const KEEPING_REDIRECTS = new Set([307, 308]);
const READING_REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface ClientRequest extends HttpRequest {
  /**
   * False for a request that must not be executed twice: it is retried only after 429, which means that nothing was
   * done. By default those that RFC 9110 section 9.2.2 calls idempotent may be retried.
   */
  readonly repeatable?: boolean;
  /** True for a body with a login: like the header Authorization it must not reach another host. */
  readonly isLogin?: boolean;
}

export interface HttpClientOptions extends RegistryOptions {
  /** True for a host whose certificate need not be valid. */
  isInsecure(host: string): boolean;
}

/** Sends requests to any host; credentials are the caller's, and reach only the host they are sent to. */
export class HttpClient {
  readonly limits: RegistryLimits;
  readonly events: EventSink;
  readonly paths: HostPaths;
  readonly #agents: Agents;
  readonly #closing = new AbortController();
  readonly #warnings = new Set<string>();
  readonly #isInsecure: (host: string) => boolean;

  constructor(options: HttpClientOptions) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.events = options.events ?? silent;
    this.paths = options.paths ?? hostPaths();
    this.#isInsecure = options.isInsecure;
    this.#agents = new Agents({
      paths: this.paths,
      limits: this.limits,
      certificateDirectory: options.certificateDirectory,
      isInsecure: options.isInsecure,
    });
  }

  /**
   * Sends a request, follows redirects and retries what may succeed: 429, some 5xx, broken connections. The last answer
   * is returned whatever its status.
   *
   * @throws SealrootError `no-network`, `no-access` (certificate), `timeout`; `failed` for redirects without end
   */
  async send(request: ClientRequest): Promise<HttpResponse> {
    const repeatable = request.repeatable ?? !["POST", "PATCH"].includes(request.method);
    for (let repetition = 0; ; repetition++) {
      this.#closing.signal.throwIfAborted();
      const isLast = repetition >= this.limits.retries;
      let delayMs: number;
      try {
        const response = await this.#follow(request);
        const mayRepeat = repeatable ? isPassingStatus(response.status) : response.status === 429;
        if (isLast || !mayRepeat) return response;
        delayMs = retryDelayMs(this.limits, repetition, response.headers["retry-after"]);
        this.#tellWait(request.url, `status ${response.status}`, delayMs);
        response.discard();
      } catch (error) {
        if (isLast || !repeatable || !isPassing(error)) throw error;
        delayMs = retryDelayMs(this.limits, repetition);
        this.#tellWait(request.url, error instanceof Error ? error.message : String(error), delayMs);
      }
      await this.wait(delayMs);
    }
  }

  /** @throws SealrootError `failed` as soon as the client is closed */
  wait(delayMs: number): Promise<void> {
    return waitFor(delayMs, this.#closing.signal);
  }

  /** Closes all connections. Pending requests fail at once, instead of waiting and retrying. */
  close(): Promise<void> {
    this.#closing.abort(new SealrootError("failed", "Cannot continue the request: its client is closed"));
    return this.#agents.close();
  }

  async #follow(request: ClientRequest): Promise<HttpResponse> {
    let current: HttpRequest = {
      ...request,
      headers: { "user-agent": userAgent(), "accept-encoding": "identity", ...request.headers },
    };
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const response = await sendOnce(current, this.#agents, this.limits);
      this.#tellWarning(response);
      const target = redirectTarget(current, response);
      if (target === undefined) return response;
      response.discard();
      refuseDowngrade(current.url.origin, target, this.#isInsecure(current.url.host));
      if (request.isLogin === true && target.origin !== current.url.origin) throw loginLedAway(current.url, target);
      current = redirected(current, target);
    }
    const what = `Cannot fetch ${request.url.origin}${request.url.pathname}: more than ${REDIRECTS_MAX} redirects`;
    throw new SealrootError("failed", what, { path: request.url.host });
  }

  /** `299 - "text"` (RFC 7234 section 5.5; OCI distribution specification, "Warnings"). */
  #tellWarning(response: HttpResponse): void {
    const texts = [response.headers.warning ?? []].flat();
    for (const text of texts) {
      const said = /^299\s+\S+\s+"((?:[^"\\]|\\.)*)"/.exec(text)?.[1]?.replace(/\\(.)/g, "$1");
      if (said === undefined || this.#warnings.has(said)) continue;
      this.#warnings.add(said);
      this.events({ type: "message", level: "warning", text: `${response.url.host} says: ${said}` });
    }
  }

  #tellWait(url: URL, reason: string, delayMs: number): void {
    const seconds = (delayMs / 1000).toFixed(1);
    this.events({ type: "message", level: "info", text: `${url.host}: ${reason}; trying again in ${seconds} s` });
  }
}

/**
 * What is encrypted stays so, wherever a registry points.
 * @throws SealrootError `no-access`
 */
export function refuseDowngrade(origin: string, target: URL, isInsecure: boolean): void {
  const mayBePlain = isInsecure || origin.startsWith("http:");
  if (target.protocol === "https:" || (target.protocol === "http:" && mayBePlain)) return;
  throw new SealrootError(
    "no-access",
    `Cannot continue from ${origin}: it leads to ${target.protocol}//${target.host}`,
    {
      path: origin,
      hint: "the registry is misconfigured; --tls-verify=false accepts it",
    },
  );
}

function loginLedAway(from: URL, target: URL): SealrootError {
  const what = `Cannot log in at ${from.origin}: it leads to ${target.origin}, which is not for the token`;
  return new SealrootError("no-access", what, { path: from.host });
}

function redirectTarget(request: HttpRequest, response: HttpResponse): URL | undefined {
  const isReading = request.method === "GET" || request.method === "HEAD";
  const followed = isReading ? READING_REDIRECTS : KEEPING_REDIRECTS;
  const { location } = response.headers;
  if (!followed.has(response.status) || location === undefined) return undefined;
  const target = URL.parse(location, request.url.href);
  if (target !== null) return target;
  // The target may be as good as a password, so it is not shown.
  const what = `Cannot follow a redirect from ${request.url.host}: its Location is no URL`;
  throw new SealrootError("failed", what, { path: request.url.host });
}

/** Credentials belong to one scheme, host and port: they must not reach another (spec/chunked-and-policy.md 4.1). */
function redirected(request: HttpRequest, url: URL): HttpRequest {
  if (url.origin === request.url.origin) return { ...request, url };
  const { authorization: _, ...headers } = request.headers ?? {};
  return { ...request, url, headers };
}
