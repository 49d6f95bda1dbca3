import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatImageName, parseImageName } from "../../src/oci/image-name.ts";
import { Fields } from "../../src/policy/fields.ts";
import { acceptsIdentity, readIdentity } from "../../src/policy/identity.ts";
import { parseStrictJson } from "../../src/policy/strict-json.ts";

const D1 = `sha256:${"1".repeat(64)}`;
const D2 = `sha256:${"2".repeat(64)}`;

function accepts(rule: object, image: string | undefined, signed: string): boolean {
  const fields = Fields.of(parseStrictJson(Buffer.from(JSON.stringify(rule)), "rule"), "rule");
  const name = image === undefined ? undefined : parseImageName(image);
  return acceptsIdentity(readIdentity(fields), name, signed);
}

test("identity: every rule with every kind of name", () => {
  const repository = { type: "exactRepository", dockerRepository: "reg.io/a" };
  const reference = { type: "exactReference", dockerReference: "reg.io/a:v" };
  const remap = { type: "remapIdentity", prefix: "mirror.io/m", signedPrefix: "reg.io" };
  const cases: [object, string | undefined, string, boolean][] = [
    [{ type: "matchExact" }, "reg.io/a:v", "reg.io/a:v", true],
    [{ type: "matchExact" }, "reg.io/a:v", "reg.io/a:w", false],
    [{ type: "matchExact" }, "reg.io/a:v", "reg.io/a", false],
    [{ type: "matchExact" }, `reg.io/a@${D1}`, "reg.io/a:v", false],
    [{ type: "matchExact" }, `reg.io/a@${D1}`, `reg.io/a@${D1}`, true],
    [{ type: "matchExact" }, undefined, "reg.io/a:v", false],
    [{ type: "matchRepoDigestOrExact" }, "reg.io/a:v", "reg.io/a:v", true],
    [{ type: "matchRepoDigestOrExact" }, "reg.io/a:v", "reg.io/a", false],
    [{ type: "matchRepoDigestOrExact" }, "reg.io/a:v", "reg.io/a:w", false],
    [{ type: "matchRepoDigestOrExact" }, `reg.io/a@${D1}`, "reg.io/a:v", true],
    [{ type: "matchRepoDigestOrExact" }, `reg.io/a@${D1}`, `reg.io/a@${D2}`, true],
    [{ type: "matchRepoDigestOrExact" }, `reg.io/a@${D1}`, "reg.io/a", false],
    [{ type: "matchRepoDigestOrExact" }, `reg.io/a@${D1}`, "reg.io/b:v", false],
    [{ type: "matchRepository" }, "reg.io/a:v", "reg.io/a", true],
    [{ type: "matchRepository" }, "reg.io/a:v", "reg.io/a:w", true],
    [{ type: "matchRepository" }, "reg.io/a:v", "reg.io/ab", false],
    [{ type: "matchRepository" }, undefined, "reg.io/a", false],
    [repository, undefined, "reg.io/a", true],
    [repository, undefined, "reg.io/a:v", true],
    [repository, "reg.io/b:v", "reg.io/a:v", true],
    [repository, "reg.io/a:v", "reg.io/b:v", false],
    [reference, undefined, "reg.io/a:v", true],
    [reference, undefined, "reg.io/a", false],
    [reference, undefined, "reg.io/a:w", false],
    [remap, "mirror.io/m/a:v", "reg.io/a:v", true],
    [remap, "mirror.io/m:v", "reg.io:v", false],
    [remap, "mirror.io/ma:v", "reg.io/a:v", false],
    [remap, "mirror.io/m/m/a:v", "reg.io/m/a:v", true],
    [remap, "reg.io/a:v", "reg.io/a:v", true],
    [remap, `mirror.io/m/a@${D1}`, "reg.io/a:v", true],
    [{ type: "matchRepository" }, "docker.io/library/alpine:v", "alpine", true],
    [{ type: "matchRepository" }, "docker.io/org/x:v", "index.docker.io/org/x", true],
    [{ type: "matchRepository" }, "reg.io/a:v", "not a name", false],
    [{ type: "matchRepository" }, "reg.io/a:v", "", false],
  ];
  for (const [rule, image, signed, expected] of cases) {
    assert.equal(accepts(rule, image, signed), expected, JSON.stringify([rule, image, signed]));
  }
});

test("names: expanded once, they stay as they are", () => {
  assert.equal(formatImageName(parseImageName("alpine") ?? assert.fail()), "docker.io/library/alpine");
  assert.equal(formatImageName(parseImageName("localhost/a:t") ?? assert.fail()), "localhost/a:t");
  assert.equal(formatImageName(parseImageName("a:5000/b") ?? assert.fail()), "a:5000/b");
  for (const wrong of ["", "A", "a.b/", "a.b/C", "a/b:", "a/b@sha256:1", "-a.b/c", `${"a".repeat(2000)}`]) {
    assert.equal(parseImageName(wrong), undefined, wrong);
  }
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9./:@A-Z_-]{1,40}$/), (text) => {
      const name = parseImageName(text);
      if (name === undefined) return;
      assert.deepEqual(parseImageName(formatImageName(name)), name);
    }),
  );
});
