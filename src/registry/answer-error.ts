/** What a registry says when it refuses (OCI distribution specification, "Error codes"). */
import { type ErrorCode, SealrootError } from "../errors/index.ts";
import type { HttpResponse } from "./http-response.ts";
import { parseJson } from "./lenient-json.ts";

/** How much of an error's body is read; the rest is ignored. */
const ERROR_BODY_MAX_BYTES = 1 << 20;
/** How much of a registry's message is shown, and of a text that is not the specified JSON. */
const SAID_MAX_CHARACTERS = 1000;
const PLAIN_MAX_CHARACTERS = 200;

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "no-access",
  403: "no-access",
  404: "not-found",
  407: "no-access",
  410: "not-found",
};

const HINT_OF_STATUS: Readonly<Record<number, string>> = {
  401: "log in with podman login or skopeo login, or give --creds or --authfile",
  403: "the account that was used may not do this",
  404: "check the name; a registry also says this for what the account may not see",
  429: "the registry limits requests; try later, or log in",
};

/** One entry of the body's `errors`. */
export interface RegistryProblem {
  readonly code: string;
  readonly message: string;
}

/** An unexpected answer, with what the registry said about it. */
export interface Refusal {
  readonly status: number;
  readonly problems: readonly RegistryProblem[];
  readonly error: SealrootError;
}

/**
 * Reads an error's body and closes the answer.
 * @param action what was attempted, such as `Cannot read manifest quay.io/a:1`
 */
export async function refusalOf(response: HttpResponse, action: string): Promise<Refusal> {
  const { status } = response;
  const text = await boundedText(response);
  const problems = problemsIn(text);
  const said =
    problems.length > 0 ? problems.map(sentence).join("; ").slice(0, SAID_MAX_CHARACTERS) : plainText(response, text);
  const hint = HINT_OF_STATUS[status];
  const error = new SealrootError(
    CODE_OF_STATUS[status] ?? "failed",
    `${action}: ${response.url.host} answered with status ${status}${said === "" ? "" : `: ${said}`}`,
    { path: response.url.host, actual: String(status), ...(hint === undefined ? {} : { hint }) },
  );
  return { status, problems, error };
}

/** The beginning of a body that is only shown, not trusted; what cannot be read is left out. */
async function boundedText(response: HttpResponse): Promise<string> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const part of response.body()) {
      parts.push(part);
      sizeBytes += part.length;
      if (sizeBytes >= ERROR_BODY_MAX_BYTES) break;
    }
  } catch {
    // The status is known; an interrupted explanation changes nothing.
  }
  return Buffer.concat(parts).subarray(0, ERROR_BODY_MAX_BYTES).toString("utf8");
}

function problemsIn(text: string): RegistryProblem[] {
  const body = parseJson(text);
  const errors: unknown = typeof body === "object" && body !== null && "errors" in body ? body.errors : undefined;
  if (!Array.isArray(errors)) return [];
  return errors.map((entry: unknown) => {
    const { code, message } = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
    return { code: typeof code === "string" ? code : "", message: typeof message === "string" ? message : "" };
  });
}

function sentence({ code, message }: RegistryProblem): string {
  return message === "" ? code : message;
}

/** Proxies answer with HTML pages, which tell a user nothing. */
function plainText(response: HttpResponse, text: string): string {
  if (/html/i.test(response.headers["content-type"] ?? "") || /^\s*</.test(text)) return "";
  return text.trim().slice(0, PLAIN_MAX_CHARACTERS);
}
