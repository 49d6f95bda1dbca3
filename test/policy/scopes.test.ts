import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenedPlace } from "../../src/oci/index.ts";
import { parsePolicy } from "../../src/policy/index.ts";
import { requirementsFor, scopeGroups } from "../../src/policy/scopes.ts";
import { placeOf } from "./fixture.ts";

const HEX = "1".repeat(64);
const DIGEST = `sha256:${"2".repeat(64)}`;

/** The scopes of an image that has one name at one place. */
function scopesOf(reference: string): readonly string[] {
  return scopeGroups(placeOf(reference), []).flatMap(({ byName, byPlace }) => [...byName.flat(), ...byPlace]);
}

test("scopes: of a registry, from the full name over its parents to wildcards of the host", () => {
  assert.deepEqual(scopesOf("docker://a.sub.example.com:5000/org/team/app:v1"), [
    "a.sub.example.com:5000/org/team/app:v1",
    "a.sub.example.com:5000/org/team/app",
    "a.sub.example.com:5000/org/team",
    "a.sub.example.com:5000/org",
    "a.sub.example.com:5000",
    "*.sub.example.com",
    "*.example.com",
    "*.com",
  ]);
  assert.deepEqual(scopesOf("docker://docker.io/alpine").slice(0, 4), [
    "docker.io/library/alpine:latest",
    "docker.io/library/alpine",
    "docker.io/library",
    "docker.io",
  ]);
  const byDigest = scopesOf(`docker://quay.io/a@sha256:${HEX}`);
  assert.deepEqual(byDigest, [`quay.io/a@sha256:${HEX}`, "quay.io/a", "quay.io", "*.io"]);
  assert.deepEqual(scopesOf(`docker://quay.io/a:t@sha256:${HEX}`), byDigest);
  const loopback = scopesOf("docker://127.0.0.1:5055/x");
  assert.ok(!loopback.includes("127.0.0.1"));
  assert.ok(loopback.includes("*.0.0.1"));
});

test("scopes: of a registry, what was found under a tag has its digests too", () => {
  const [group] = scopeGroups(placeOf("docker://quay.io/a:t"), [DIGEST]);
  assert.deepEqual(group?.byName, [[`quay.io/a@${DIGEST}`, "quay.io/a:t", "quay.io/a", "quay.io", "*.io"]]);
});

test("scopes: of files, the path and its parents, whatever the tag", () => {
  for (const transport of ["oci", "dir", "oci-archive"]) {
    assert.deepEqual(scopesOf(`${transport}:/store/image`), ["/store/image", "/store"]);
  }
  assert.deepEqual(scopesOf("oci:/store/image:v"), ["/store/image", "/store"]);
  assert.deepEqual(scopesOf("docker-archive:/store/image"), []);
});

function storePlace(names: readonly string[], roots: readonly string[] = ["/var/store"]): OpenedPlace {
  return { transport: "containers-storage", driver: "overlay", roots, id: HEX, names };
}

test("scopes: of podman's store, the name with the id, the id, the name in the store, then the store", () => {
  const [store, root] = ["[overlay@/var/store]", "[/var/store]"];
  const name = "quay.io/org/app:v";
  assert.deepEqual(scopeGroups(storePlace([name]), [DIGEST]), [
    {
      byName: [
        [
          `${store}${name}@${HEX}`,
          `${store}@${HEX}`,
          `${store}quay.io/org/app@${DIGEST}@${HEX}`,
          `${store}quay.io/org/app@${DIGEST}`,
          `${store}${name}`,
          `${store}quay.io/org/app`,
          `${store}quay.io/org`,
          `${store}quay.io`,
        ],
      ],
      byPlace: [store, root],
    },
  ]);
  assert.deepEqual(scopeGroups(storePlace([]), []), [{ byName: [[`${store}@${HEX}`]], byPlace: [store, root] }]);
});

const list = (path: string) => [{ type: "sigstoreSigned", keyPath: path }];

function withScopes(transport: string, chosen: readonly string[]) {
  const scopes = Object.fromEntries(chosen.map((scope) => [scope, list(`/${scope}`)]));
  return parsePolicy(
    Buffer.from(JSON.stringify({ default: list("/default"), transports: { [transport]: scopes } })),
    "p",
  );
}

function foundIn(policy: ReturnType<typeof withScopes>, place: OpenedPlace): string[] {
  return requirementsFor(policy, place, []).map(({ scope, requirements }) => {
    assert.equal(requirements.length, 1);
    return scope;
  });
}

test("scopes: one list wins, the most specific; lists are not merged", () => {
  const scopes = ["quay.io/org/app:v", "quay.io/org/app", "quay.io/org", "quay.io", "*.io", ""];
  const place = placeOf("docker://quay.io/org/app:v");
  for (const [index, scope] of scopes.entries()) {
    assert.deepEqual(foundIn(withScopes("docker", scopes.slice(index)), place), [`docker ${JSON.stringify(scope)}`]);
  }
  assert.deepEqual(foundIn(withScopes("docker", []), place), ["the default"]);
  assert.deepEqual(foundIn(withScopes("docker", scopes), placeOf("oci:/x")), ["the default"]);
});

test("scopes: an image with several names, or in a store within a store, must meet the rules of all", () => {
  const [outer, inner] = ["[overlay@/outer]", "[overlay@/inner]"];
  const names = ["quay.io/a:v", "example.com/b:v"];
  const place = storePlace(names, ["/inner", "/outer"]);
  const found = (...scopes: string[]) => {
    const policy = withScopes("containers-storage", scopes);
    return foundIn(policy, place).map((scope) => scope.replace(/^containers-storage "(.*)"$/, "$1"));
  };
  assert.deepEqual(found(`${inner}quay.io`, `${inner}example.com/b`), [`${inner}quay.io`, `${inner}example.com/b`]);
  // A rule for the whole store is for those whose names have none, in that store.
  assert.deepEqual(found(`${inner}quay.io`, inner, outer), [`${inner}quay.io`, outer]);
  assert.deepEqual(found(inner, ""), [inner]);
  assert.deepEqual(found("[/outer]", ""), ["[/outer]"]);
  assert.deepEqual(found(""), [""]);
  assert.deepEqual(found(), ["the default"]);
  assert.deepEqual(found(`${inner}@${HEX}`, `${inner}quay.io/a:v`), [`${inner}@${HEX}`]);
});
