/**
 * JSON for documents that decide about trust: anything that two readers could read differently is refused
 * (spec/chunked-and-policy.md
 * 2.1, 3.1). JSON.parse keeps the last of several equal keys; a signer and a verifier must not disagree on which one counts.
 */
import { corrupt, reasonOf } from "../errors/index.ts";

/** A value as read; objects are maps, so no key has a special meaning in JavaScript. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Deeper nesting has no use in these documents. */
const DEPTH_MAX = 64;

/**
 * Reads a document that is one JSON value.
 * @param what names the document in errors, such as "policy /etc/containers/policy.json"
 * @throws SealrootError `corrupt` for text that is not UTF-8 or not JSON, for anything after the value, for nesting
 *   deeper than 64, and for an object with the same key twice
 */
export function parseStrictJson(bytes: Uint8Array, what: string): JsonValue {
  let text: string;
  let value: unknown;
  try {
    // With ignoreBOM a byte order mark stays in the text, where JSON does not allow one (RFC 8259 8.1).
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(`Cannot read ${what}: it is not JSON: ${reasonOf(error)}`);
  }
  const problem = findAmbiguity(text);
  if (problem !== undefined) throw corrupt(`Cannot read ${what}: ${problem}`);
  return withMaps(value);
}

/** True for a value that is an object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

function withMaps(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(withMaps);
  if (typeof value === "object" && value !== null) {
    return new Map(Object.entries(value).map(([key, inner]) => [key, withMaps(inner)]));
  }
  return value as null | boolean | number | string;
}

/** What is wrong with a text that is known to be JSON; undefined when nothing is. */
function findAmbiguity(text: string): string | undefined {
  const open: Set<string>[] = [];
  let lastString = { start: 0, end: 0 };
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        lastString = { start: at, end: endOfString(text, at) };
        at = lastString.end - 1;
        break;
      case "{":
      case "[":
        if (open.push(new Set()) > DEPTH_MAX) return `it is nested deeper than ${DEPTH_MAX}`;
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case ":": {
        // Two spellings of one key, "a" and "\u0061", are the same key.
        const key: string = JSON.parse(text.slice(lastString.start, lastString.end));
        const keys = open.at(-1);
        if (keys?.has(key)) return `the key ${JSON.stringify(key)} occurs twice`;
        keys?.add(key);
      }
    }
  }
  return undefined;
}

/** The index after the quotation mark that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}
