/** Lists that come in pages (OCI distribution specification, "Listing tags"; RFC 8288). */
import * as v from "valibot";
import { SealrootError } from "../errors/index.ts";
import type { RegistryClient, RegistryRequest } from "./client.ts";
import { wholeBody } from "./http-response.ts";
import { parseJson } from "./lenient-json.ts";

/** More pages than any sane registry's list has. */
const PAGES_MAX = 10_000;
/** Largest page that is read, and limit for all pages: some hundred thousand tags or referrers. */
const PAGE_MAX_BYTES = 16 << 20;
const LIST_MAX_BYTES = 64 << 20;

/** The target of `Link: <target>; rel="next"`. */
export function nextLink(header: string | readonly string[] | undefined): string | undefined {
  const text = [header ?? []].flat().join(", ");
  for (const [, target, parameters = ""] of text.matchAll(/<([^>]*)>((?:\s*;\s*[^,;]+)*)/g)) {
    if (/;\s*rel\s*=\s*"?next"?\s*(?:;|$)/i.test(parameters)) return target;
  }
  return undefined;
}

/**
 * Reads all pages of a list, following the links between them. A short page means nothing: some registries ignore the
 * requested length.
 *
 * @param path of the first page
 * @returns the document of each page
 * @throws SealrootError as RegistryClient.request; `corrupt` for a page that is not what `schema` says or that leads
 *   in a circle; `unsupported` for an excessive page or list
 */
export async function* pagesOf<S extends v.GenericSchema>(
  client: RegistryClient,
  path: string,
  schema: S,
  request: RegistryRequest,
): AsyncGenerator<v.InferOutput<S>> {
  const seen = new Set<string>();
  let listBytes = 0;
  let next: string | URL = path;
  while (seen.size < PAGES_MAX) {
    const response = await client.request("GET", next, request);
    seen.add(response.url.href);
    const page = await wholeBody(response, Math.min(PAGE_MAX_BYTES, LIST_MAX_BYTES - listBytes), () =>
      tooLong(request.action),
    );
    listBytes += page.length;
    yield readPage(page, schema, request.action);
    const link = nextLink(response.headers.link);
    if (link === undefined) return;
    const url = URL.parse(link, response.url.href);
    if (url === null || seen.has(url.href)) {
      throw new SealrootError("corrupt", `${request.action}: the link to its next page is wrong: "${link}"`);
    }
    next = url;
  }
  throw new SealrootError("unsupported", `${request.action}: it has more than ${PAGES_MAX} pages`);
}

function tooLong(action: string): SealrootError {
  const limits = `a page has more than ${PAGE_MAX_BYTES} bytes, or all pages more than ${LIST_MAX_BYTES}`;
  return new SealrootError("unsupported", `${action}: ${limits}`);
}

function readPage<S extends v.GenericSchema>(page: Buffer, schema: S, action: string): v.InferOutput<S> {
  const result = v.safeParse(schema, parseJson(page.toString("utf8")));
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new SealrootError("corrupt", `${action}: ${v.getDotPath(issue) ?? "the answer"}: ${issue.message}`);
}
