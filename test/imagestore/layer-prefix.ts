/** What stands in front of an error that came out of a layer. */
import assert from "node:assert/strict";

const PREFIX = /^Cannot read layer \d+ of \d+ \(sha256:[0-9a-f]{64}(, made by ".*?")?\): /;

/** The message behind the layer's place, which must be there. */
export function withoutLayer(message: string): string {
  assert.match(message, PREFIX);
  return message.replace(PREFIX, "");
}

/** For assert.rejects: an error out of a layer, with this code and with this behind the layer's place. */
export function outOfLayer(expected: { readonly code: string; readonly message: string | RegExp }) {
  return (error: Error & { readonly code?: string }): boolean => {
    const message = withoutLayer(error.message);
    if (typeof expected.message === "string") assert.equal(message, expected.message);
    else assert.match(message, expected.message);
    assert.equal(error.code, expected.code);
    return true;
  };
}
