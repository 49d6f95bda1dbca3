/**
 * Which Authorization header a request carries, learned from the registry's challenges (spec/chunked-and-policy.md
 * 4.1).
 */
import { SealrootError } from "../errors/index.ts";
import { isLoopback } from "./agents.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { HttpClient } from "./http-client.ts";
import type { HttpResponse } from "./http-response.ts";
import type { Credentials } from "./options.ts";
import { basicAuthorization, fetchToken, isExpired, type Token } from "./token.ts";

/** A registry that keeps asking for another scope is not followed further. */
const SCOPES_MAX = 8;

/** One try of a request: what it was sent with. */
export interface Authorization {
  /** Undefined: none was sent. */
  readonly header: string | undefined;
  /** True if the registry had not yet said what it wants. */
  readonly isBlind: boolean;
  readonly scopes: readonly string[];
  /** False for a token that earlier requests already used. */
  readonly isFresh: boolean;
}

/** What one client knows about logging in to one repository. */
export class Authorizer {
  readonly #http: HttpClient;
  readonly #findCredentials: () => Promise<Credentials | undefined>;
  readonly #mayUsePlainHttp: boolean;
  /** Undefined until the registry asks. */
  #challenge: Challenge | undefined;
  #credentials: Promise<Credentials | undefined> | undefined;
  /** By the sorted scopes; a promise, so that concurrent requests share one. */
  readonly #tokens = new Map<string, Promise<Token>>();

  /** @param mayUsePlainHttp true when credentials may travel to any token service without TLS */
  constructor(
    http: HttpClient,
    options: { findCredentials(): Promise<Credentials | undefined>; readonly mayUsePlainHttp: boolean },
  ) {
    this.#http = http;
    this.#findCredentials = () => options.findCredentials();
    this.#mayUsePlainHttp = options.mayUsePlainHttp;
  }

  get isChallenged(): boolean {
    return this.#challenge !== undefined;
  }

  /** @throws SealrootError as fetchToken */
  async authorize(scopes: readonly string[]): Promise<Authorization> {
    if (this.#challenge === undefined) return { header: undefined, isBlind: true, scopes, isFresh: true };
    if (this.#challenge.scheme === "basic") {
      return { header: await this.#basic(), isBlind: false, scopes, isFresh: true };
    }
    const key = [...scopes].sort().join(" ");
    const known = this.#tokens.get(key);
    const before = known === undefined ? undefined : await known;
    if (before !== undefined && !isExpired(before)) {
      return { header: `Bearer ${before.text}`, isBlind: false, scopes, isFresh: false };
    }
    const token = await this.#newToken(key, scopes, this.#challenge, known);
    return { header: `Bearer ${token.text}`, isBlind: false, scopes, isFresh: true };
  }

  /**
   * Handles an answer with status 401.
   *
   * @returns the scopes to try again with; undefined if another try would fail the same way
   */
  learn(response: HttpResponse, sent: Authorization): readonly string[] | undefined {
    const challenge = chooseChallenge(parseChallenges([response.headers["www-authenticate"] ?? []].flat()));
    if (challenge !== undefined) this.#refusePlainRealm(response.url, challenge);
    if (sent.isBlind) {
      this.#challenge = challenge ?? this.#challenge;
      return this.#challenge === undefined ? undefined : sent.scopes;
    }
    if (this.#challenge?.scheme === "basic") return undefined;
    const missing = challenge?.parameters.get("scope");
    const isMissing =
      missing !== undefined && missing !== "" && !sent.scopes.includes(missing) && sent.scopes.length < SCOPES_MAX;
    if (isMissing && challenge?.parameters.get("error") === "insufficient_scope") return [...sent.scopes, missing];
    if (sent.isFresh) return undefined;
    this.#tokens.clear();
    return sent.scopes;
  }

  async #basic(): Promise<string | undefined> {
    const credentials = await this.#ownCredentials();
    if (credentials?.type !== "password") return undefined;
    return basicAuthorization(credentials.userName, credentials.password);
  }

  #ownCredentials(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#findCredentials();
    return this.#credentials;
  }

  /** One request for each set of scopes at a time: later callers wait for it. */
  #newToken(
    key: string,
    scopes: readonly string[],
    challenge: Challenge,
    outdated: Promise<Token> | undefined,
  ): Promise<Token> {
    const current = this.#tokens.get(key);
    if (current !== undefined && current !== outdated) return current;
    const token = this.#ownCredentials().then((credentials) => fetchToken(this.#http, challenge, scopes, credentials));
    this.#tokens.set(key, token);
    token.catch(() => this.#tokens.delete(key));
    return token;
  }

  #refusePlainRealm(registry: URL, challenge: Challenge): void {
    const realm = URL.parse(challenge.parameters.get("realm") ?? "");
    if (challenge.scheme !== "bearer" || realm?.protocol !== "http:" || this.#mayUsePlainHttp) return;
    // What does not leave this machine needs no encryption.
    if (isLoopback(registry.host) && isLoopback(realm.host)) return;
    const what = `Cannot log in to ${registry.host}: it sends credentials to ${realm.origin}, which is not encrypted`;
    throw new SealrootError("no-access", what, { path: registry.host });
  }
}

/** Bearer before Basic, as it grants less. */
function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const byScheme = (scheme: string) => challenges.find((challenge) => challenge.scheme === scheme);
  return byScheme("bearer") ?? byScheme("basic");
}
