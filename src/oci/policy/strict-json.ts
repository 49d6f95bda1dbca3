/**
 * JSON for documents that decide about trust: what two readers could read differently is refused (spec/chunked-and-policy.md
 * 2.1, 3.1). JSON.parse keeps the last of several equal keys; a signer and a verifier must not disagree on which one counts.
 */
import { corrupt, reasonOf } from "../../errors/index.ts";

/** A value as read; objects are maps, so that no key has a meaning of its own in JavaScript. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Deeper nesting has no use in these documents. */
const DEPTH_MAX = 64;

/** The tokens that matter once the text is known to be JSON: strings, and what opens, closes and separates. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:]/gs;

/**
 * Reads a document that is one JSON value.
 * @param what names the document in errors, such as "policy /etc/containers/policy.json"
 * @throws SealrootError `corrupt` for text that is not UTF-8 or not JSON, for anything behind the value, for nesting
 *   deeper than 64, and for an object with the same key twice
 */
export function parseStrictJson(bytes: Uint8Array, what: string): JsonValue {
  let text: string;
  let value: JsonValue;
  try {
    // With ignoreBOM a byte order mark stays in the text, where JSON does not allow one (RFC 8259 8.1).
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    checkDepth(text);
    value = JSON.parse(text, toMap);
  } catch (error) {
    throw corrupt(`Cannot read ${what}: it is not JSON: ${reasonOf(error)}`);
  }
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw corrupt(`Cannot read ${what}: the key ${JSON.stringify(duplicate)} stands twice`);
  return value;
}

/** True for a value that is an object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

function toMap(_: string, value: unknown): unknown {
  const isPlainObject = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map);
  return isPlainObject ? new Map(Object.entries(value)) : value;
}

/** Before the parser, which recurses. Text that is not JSON may be counted wrongly, and is refused either way. */
function checkDepth(text: string): void {
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    if (depth > DEPTH_MAX) throw new Error(`it is nested deeper than ${DEPTH_MAX}`);
  }
}

/** The first key that an object has twice, in text that is known to be JSON. */
function findDuplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  let lastString = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token !== ":") lastString = token;
    else {
      // Two spellings of one key, "a" and "\u0061", are the same key.
      const key: string = JSON.parse(lastString);
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
