/** Requests to one repository of one registry (OCI distribution specification 1.1), with everything that precedes them. */
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import { isLoopback } from "./agents.ts";
import { type Refusal, refusalOf } from "./answer-error.ts";
import { Authorizer } from "./authorizer.ts";
import { type Endpoint, endpointName, interfaceHost } from "./endpoint.ts";
import { HttpClient, refuseDowngrade } from "./http-client.ts";
import type { HttpMethod, HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { isNotTls, networkCode } from "./network-error.ts";
import type { Credentials, RegistryLimits, RegistryOptions } from "./options.ts";

export interface RegistryRequest {
  /** Names in lower case; `authorization` and `user-agent` are added. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpRequest["body"];
  /** What the token must allow; reading this repository when absent. */
  readonly scopes?: readonly string[];
  /** Statuses that are answers; all others are errors. `[200]` when absent. */
  readonly expect?: readonly number[];
  /** As in ClientRequest. */
  readonly repeatable?: boolean;
  /** What is attempted, for messages: `Cannot read manifest quay.io/a:1`. */
  readonly action: string;
}

export interface RegistryClientOptions extends RegistryOptions {
  readonly endpoint: Endpoint;
  /** Looks up what to log in with; called once, when the registry asks. */
  findCredentials(): Promise<Credentials | undefined>;
}

type Scheme = "https" | "http";

/**
 * A repository of a registry. HTTPS always, except that a loopback host may turn out to speak plain HTTP, and a host
 * that is insecure by option or configuration need neither authenticate nor encrypt (spec/chunked-and-policy.md 3.5).
 */
export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly #http: HttpClient;
  readonly #authorizer: Authorizer;
  readonly #isInsecure: boolean;
  /** Undefined until it is known. */
  #scheme: Scheme | undefined;
  #wasAsked = false;

  constructor(options: RegistryClientOptions) {
    const { endpoint, tlsVerify } = options;
    this.endpoint = endpoint;
    const host = interfaceHost(endpoint.host);
    this.#isInsecure = tlsVerify === undefined ? endpoint.isInsecure : !tlsVerify;
    const mayBePlain = this.#isInsecure || (tlsVerify === undefined && isLoopback(host));
    this.#scheme = mayBePlain ? undefined : "https";
    this.#http = new HttpClient({
      ...options,
      // One host being insecure by configuration says nothing about those it redirects to.
      isInsecure: (other) => tlsVerify === false || (this.#isInsecure && isSameHost(other, host)),
    });
    this.#authorizer = new Authorizer(this.#http, {
      findCredentials: () => options.findCredentials(),
      mayUsePlainHttp: this.#isInsecure,
    });
  }

  get limits(): RegistryLimits {
    return this.#http.limits;
  }

  get events(): EventSink {
    return this.#http.events;
  }

  /** `HOST/REPOSITORY`, for messages. */
  get name(): string {
    return endpointName(this.endpoint);
  }

  /** The scope of a token for this repository: `pull`, `pull,push`, … (distribution specification, "scope"). */
  scope(actions: string): string {
    return `repository:${this.endpoint.repository}:${actions}`;
  }

  /**
   * Sends a request to the repository, logging in when the registry asks.
   *
   * @param path below `/v2/REPOSITORY/`, such as `manifests/latest`; or a URL, such as a Location or Link
   * @returns an answer with one of the expected statuses; its body must be read or discarded
   * @throws SealrootError `no-access` (401, 403, certificate), `not-found` (404), `no-network`, `timeout`, or `failed`
   *   for every other status
   */
  async request(method: HttpMethod, path: string | URL, request: RegistryRequest): Promise<HttpResponse> {
    const answer = await this.requestOrRefusal(method, path, request);
    if ("error" in answer) throw answer.error;
    return answer;
  }

  /**
   * As {@link request}, but an unexpected status is returned instead of thrown, for callers that know what it means.
   */
  async requestOrRefusal(
    method: HttpMethod,
    path: string | URL,
    request: RegistryRequest,
  ): Promise<HttpResponse | Refusal> {
    // Do not send a body only to learn that a token is needed, or over an untried connection.
    if (request.body !== undefined && !this.#wasAsked && !this.#authorizer.isChallenged) await this.#ping();
    let scopes = request.scopes ?? [this.scope("pull")];
    for (;;) {
      const authorization = await this.#authorizer.authorize(scopes);
      const { header } = authorization;
      const headers = { ...request.headers, ...(header === undefined ? {} : { authorization: header }) };
      const response = await this.#send(method, path, { ...request, headers });
      if ((request.expect ?? [200]).includes(response.status)) return response;
      if (response.status === 401 && !this.#isOwn(response.url)) return this.#foreignLogin(response, request.action);
      const next = response.status === 401 ? await this.#learn(response, authorization) : undefined;
      if (next === undefined) return refusalOf(response, request.action);
      response.discard();
      scopes = next;
    }
  }

  /** Waits before a retry. @throws SealrootError `failed` as soon as the client is closed */
  wait(delayMs: number): Promise<void> {
    return this.#http.wait(delayMs);
  }

  /** Closes all connections; pending requests fail. */
  close(): Promise<void> {
    return this.#http.close();
  }

  #base(scheme: Scheme): URL {
    return new URL(`${scheme}://${interfaceHost(this.endpoint.host)}/v2/${this.endpoint.repository}/`);
  }

  /** Some hosts give their challenge only at `/v2/` (spec/chunked-and-policy.md 4.1). */
  async #learn(response: HttpResponse, sent: Parameters<Authorizer["learn"]>[1]) {
    const next = this.#authorizer.learn(response, sent);
    if (next !== undefined || !sent.isBlind) return next;
    await this.#ping();
    return this.#authorizer.isChallenged ? sent.scopes : undefined;
  }

  /** Asks whether there is a registry, which then gives its challenge (specification, "Determining support"). */
  async #ping(): Promise<void> {
    const response = await this.#send("GET", "/v2/", {});
    this.#wasAsked = true;
    if (response.status === 401 && this.#isOwn(response.url)) {
      this.#authorizer.learn(response, { header: undefined, isBlind: true, scopes: [], isFresh: true });
    }
    response.discard();
  }

  async #send(
    method: HttpMethod,
    path: string | URL,
    request: Omit<RegistryRequest, "action" | "scopes" | "expect">,
  ): Promise<HttpResponse> {
    const { headers, body, repeatable } = request;
    const rest = {
      ...(body === undefined ? {} : { body }),
      ...(repeatable === undefined ? {} : { repeatable }),
    };
    this.#scheme ??= await this.#findScheme();
    const url = new URL(path, this.#base(this.#scheme));
    return this.#http.send({ method, url, headers: this.#ownHeaders(url, this.#scheme, headers ?? {}), ...rest });
  }

  /** One try, as a host without TLS will not gain it. Without a given port, HTTP's differs from HTTPS's. */
  async #findScheme(): Promise<Scheme> {
    const url = this.#base("https");
    try {
      (await this.#http.send({ method: "HEAD", url: new URL("/v2/", url), repeatable: false })).discard();
      return "https";
    } catch (error) {
      const isClosed = networkCode(error) === "ECONNREFUSED" && url.port === "";
      if (isNotTls(error) || isClosed) return "http";
      throw error;
    }
  }

  /** True for a place in the registry itself, which alone may say where to log in. */
  #isOwn(url: URL): boolean {
    return this.#scheme !== undefined && url.origin === this.#base(this.#scheme).origin;
  }

  /** What the registry points to could name any place to give its password to. */
  #foreignLogin(response: HttpResponse, action: string): Refusal {
    const { status, url } = response;
    response.discard();
    const own = interfaceHost(this.endpoint.host);
    const what = `${action}: ${own} led to ${url.host}, which wants a login of its own`;
    const hint = "only the registry itself may ask for a login; the place it points to must serve everybody";
    return { status, problems: [], error: new SealrootError("no-access", what, { path: url.host, hint }) };
  }

  /** A registry may name another place for an upload or a page, which gets no credentials. */
  #ownHeaders(url: URL, scheme: Scheme, headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    if (this.#isOwn(url)) return headers;
    refuseDowngrade(this.#base(scheme).origin, url, this.#isInsecure);
    const { authorization: _, ...others } = headers;
    return others;
  }
}

/** Compares hosts without a scheme's default port. */
function isSameHost(one: string, other: string): boolean {
  return ["https:", "http:"].some(
    (scheme) => new URL(`${scheme}//${one}`).host === new URL(`${scheme}//${other}`).host,
  );
}
