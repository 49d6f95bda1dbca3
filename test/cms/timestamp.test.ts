import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withTimestamp } from "../../src/cms/index.ts";

/** Found by mutating the answer of openssl ts: the library reads the attribute and cannot write it. */
test("a time stamp with an attribute that is no ASN.1 is refused", async () => {
  const path = join(import.meta.dirname, "vectors/timestamp-attribute.json");
  const { signature, answer, nonce } = JSON.parse(readFileSync(path, "utf8"));
  const bytes = (text: string) => Buffer.from(text, "base64");
  await assert.rejects(withTimestamp(bytes(signature), bytes(answer), Buffer.from(nonce, "hex")), {
    code: "corrupt",
    message: "Cannot read an ASN.1 structure: Wrong input string for conversion",
  });
});
