/** Bearer tokens from an authorization service (distribution specification "token"; RFC 6750; RFC 6749 section 6). */
import * as v from "valibot";
import { SealrootError } from "../errors/index.ts";
import { refusalOf } from "./answer-error.ts";
import type { Challenge } from "./challenge.ts";
import type { ClientRequest, HttpClient } from "./http-client.ts";
import { type HttpResponse, wholeBody } from "./http-response.ts";
import { parseJson } from "./lenient-json.ts";
import type { Credentials } from "./options.ts";

export interface Token {
  readonly text: string;
  /** On the clock of `performance.now()`. */
  readonly expiresMs: number;
}

/** Used if a service says less, or nothing (spec/chunked-and-policy.md 4.1). */
const LIFE_MIN_SECONDS = 60;
/** A token this close to expiry is no longer used. */
const SPARE_MS = 5000;
const TOKEN_BODY_MAX_BYTES = 1 << 20;
/** Sent with an identity token: which program asks (RFC 6749 section 2.2). */
const CLIENT_ID = "sealroot";

const answerSchema = v.looseObject({
  token: v.optional(v.string()),
  access_token: v.optional(v.string()),
  expires_in: v.optional(v.number()),
});

/** The value of the header Authorization (RFC 7617 section 2). */
export function basicAuthorization(userName: string, password: string): string {
  return `Basic ${Buffer.from(`${userName}:${password}`, "utf8").toString("base64")}`;
}

/** True when the token must no longer be used. */
export function isExpired(token: Token): boolean {
  return performance.now() > token.expiresMs - SPARE_MS;
}

/**
 * Asks the service that a challenge names for a token. Also without credentials: most registries want one even for
 * public images.
 *
 * @param scopes such as `repository:library/debian:pull`; each becomes a parameter of its own
 * @throws SealrootError `no-access` when the service refuses, `corrupt` when its answer is not a token
 */
export async function fetchToken(
  http: HttpClient,
  challenge: Challenge,
  scopes: readonly string[],
  credentials: Credentials | undefined,
): Promise<Token> {
  const text = challenge.parameters.get("realm") ?? "";
  const realm = URL.parse(text);
  if (realm === null || !/^https?:$/.test(realm.protocol)) {
    throw new SealrootError("corrupt", `Cannot get a token: the realm "${text}" is not a web address`);
  }
  const service = challenge.parameters.get("service");
  const request =
    credentials?.type === "identity-token"
      ? identityRequest(realm, service, scopes, credentials.token)
      : tokenRequest(realm, service, scopes, credentials);
  const response = await http.send(request);
  if (response.status !== 200) throw (await refusalOf(response, "Cannot get a token")).error;
  return readToken(response);
}

function tokenRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  credentials: Extract<Credentials, { type: "password" }> | undefined,
): ClientRequest {
  const url = new URL(realm);
  if (credentials !== undefined) url.searchParams.append("account", credentials.userName);
  if (service !== undefined) url.searchParams.append("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers =
    credentials === undefined ? {} : { authorization: basicAuthorization(credentials.userName, credentials.password) };
  return { method: "GET", url, headers };
}

function identityRequest(
  url: URL,
  service: string | undefined,
  scopes: readonly string[],
  identityToken: string,
): ClientRequest {
  const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: identityToken, client_id: CLIENT_ID });
  if (service !== undefined) form.append("service", service);
  // A form has only one scope, a list with spaces (RFC 6749 section 3.3).
  form.append("scope", scopes.join(" "));
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url, headers, body: Buffer.from(form.toString()), repeatable: true, isLogin: true };
}

async function readToken(response: HttpResponse): Promise<Token> {
  const noToken = () =>
    new SealrootError("corrupt", `Cannot get a token: ${response.url.host} answered with something else`, {
      path: response.url.host,
    });
  const body = await wholeBody(response, TOKEN_BODY_MAX_BYTES, noToken);
  const answer = v.safeParse(answerSchema, parseJson(body.toString("utf8")));
  // Either name will do (distribution specification "token"); an empty one counts as absent.
  const text = answer.success ? answer.output.token || answer.output.access_token : undefined;
  // It becomes part of a header: only visible ASCII is allowed.
  if (!answer.success || text === undefined || !/^[\x21-\x7e]+$/.test(text)) throw noToken();
  const lifeSeconds = Math.max(answer.output.expires_in ?? 0, LIFE_MIN_SECONDS);
  return { text, expiresMs: performance.now() + lifeSeconds * 1000 };
}
