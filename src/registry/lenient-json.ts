/** JSON from elsewhere, where anything else needs no error of its own. */

/** The value of a text; undefined if it is not JSON. What Go programs write as null is absent, as in readJson. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (_, value) => value ?? undefined);
  } catch {
    return undefined;
  }
}
