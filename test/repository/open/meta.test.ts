import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMeta, parseMeta } from "../../../src/repository/index.ts";

function meta(fields: Record<string, unknown>): string {
  return JSON.stringify({ version: 1, algorithm: "fsverity-sha256-12", ...fields });
}

test("formatMeta() is 219 bytes for the default and parseMeta() reads it back", () => {
  const text = formatMeta("sha512", { default: 1, extra: [] });
  assert.equal(text.length, 219);
  assert.deepEqual(parseMeta(text), {
    algorithm: "sha512",
    formats: { default: 1, extra: [] },
    unknownReadOnlyFeatures: [],
  });
});

test("the feature v1_erofs is there for version 1 alone, and extra versions are listed", () => {
  for (const version of [0, 2] as const) {
    assert.ok(!formatMeta("sha256", { default: version, extra: [] }).includes("v1_erofs"));
  }
  const text = formatMeta("sha256", { default: 1, extra: [2] });
  assert.ok(text.endsWith('  "erofs_formats": {\n    "default": 1,\n    "extra": [\n      2\n    ]\n  }\n}\n'));
  assert.deepEqual(parseMeta(text).formats, { default: 1, extra: [2] });
});

test("the effective formats follow erofs_formats, then the feature, then version 2", () => {
  const formats = (fields: Record<string, unknown>) => parseMeta(meta(fields)).formats;
  assert.deepEqual(formats({}), { default: 2, extra: [] });
  assert.deepEqual(formats({ features: { "read-only-compatible": ["v1_erofs"] } }), { default: 1, extra: [] });
  assert.deepEqual(formats({ erofs_formats: { default: 2 }, features: { "read-only-compatible": ["v1_erofs"] } }), {
    default: 1,
    extra: [],
  });
  assert.deepEqual(formats({ erofs_formats: { default: 0 } }), { default: 0, extra: [] });
  assert.deepEqual(formats({ erofs_formats: { default: 2, extra: [2, 1] } }), { default: 2, extra: [1] });
});

test("what is unknown and compatible is ignored", () => {
  const text = meta({ later: 1, features: { compatible: ["later"], "read-only-compatible": ["later"] } });
  assert.deepEqual(parseMeta(text).unknownReadOnlyFeatures, ["later"]);
});

for (const [name, text, code, message] of [
  ["no JSON", "{", "corrupt", /^Cannot read meta\.json: /],
  ["no object", "[]", "corrupt", /meta\.json is not an object$/],
  ["no version", '{"algorithm":"fsverity-sha256-12"}', "corrupt", /version is undefined, not an integer$/],
  [
    "a newer version",
    meta({ version: 2 }),
    "unsupported",
    /unsupported repository format version 2 \(this tool supports up to 1\)$/,
  ],
  ["another algorithm", meta({ algorithm: "fsverity-sha512-16" }), "unsupported", /"fsverity-sha512-16"/],
  ["no algorithm", '{"version":1}', "unsupported", /Cannot use the algorithm undefined/],
  [
    "an unknown incompatible feature",
    meta({ features: { incompatible: ["weird"] } }),
    "unsupported",
    /repository requires unknown incompatible features: \["weird"\]$/,
  ],
  [
    "features that are no list",
    meta({ features: { compatible: "x" } }),
    "corrupt",
    /compatible is not an array of strings/,
  ],
  ["an unknown EROFS version", meta({ erofs_formats: { default: 3 } }), "unsupported", /EROFS version 3/],
  [
    "a list of versions that is none",
    meta({ erofs_formats: { default: 1, extra: 2 } }),
    "corrupt",
    /extra is not an array/,
  ],
] as const) {
  test(`meta.json with ${name} is refused`, () => {
    assert.throws(() => parseMeta(text), { code, message });
  });
}
