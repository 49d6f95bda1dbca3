import assert from "node:assert/strict";
import { mkdir, realpath, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseReference } from "../../../src/oci/index.ts";
import { parsePolicy } from "../../../src/oci/policy/index.ts";
import { requirementsFor, scopesOf } from "../../../src/oci/policy/scopes.ts";
import { scratchDirectory } from "../vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const HEX = "1".repeat(64);

test("scopes: of a registry, from the full name over its parents to wildcards of the host", () => {
  assert.deepEqual(scopesOf(parseReference("docker://a.sub.example.com:5000/org/team/app:v1")), [
    "a.sub.example.com:5000/org/team/app:v1",
    "a.sub.example.com:5000/org/team/app",
    "a.sub.example.com:5000/org/team",
    "a.sub.example.com:5000/org",
    "a.sub.example.com:5000",
    "*.sub.example.com",
    "*.example.com",
    "*.com",
  ]);
  assert.deepEqual(scopesOf(parseReference("docker://docker.io/alpine")).slice(0, 4), [
    "docker.io/library/alpine:latest",
    "docker.io/library/alpine",
    "docker.io/library",
    "docker.io",
  ]);
  const byDigest = scopesOf(parseReference(`docker://quay.io/a@sha256:${HEX}`));
  assert.deepEqual(byDigest, [`quay.io/a@sha256:${HEX}`, "quay.io/a", "quay.io", "*.io"]);
  assert.deepEqual(scopesOf(parseReference(`docker://quay.io/a:t@sha256:${HEX}`)), byDigest);
  const loopback = scopesOf(parseReference("docker://127.0.0.1:5055/x"));
  assert.ok(!loopback.includes("127.0.0.1"));
  assert.ok(loopback.includes("*.0.0.1"));
});

test("scopes: of files, the real path and its parents, whatever the tag", async () => {
  const directory = join(await realpath(scratch.path), "store/image");
  await mkdir(directory, { recursive: true });
  await symlink(directory, join(scratch.path, "link"));
  for (const transport of ["oci", "dir"]) {
    const scopes = scopesOf(parseReference(`${transport}:${scratch.path}/link`));
    assert.equal(scopes[0], directory);
    assert.equal(scopes[1], join(directory, ".."));
    assert.ok(!scopes.includes("/"));
  }
  assert.deepEqual(scopesOf(parseReference(`oci:${directory}:v`)), scopesOf(parseReference(`oci:${directory}`)));
  assert.deepEqual(scopesOf(parseReference(`docker-archive:${directory}`)), []);
});

test("scopes: of podman's store, the name in the store, then the store", () => {
  const [store, root] = ["overlay@/var/store", "/var/store"];
  assert.deepEqual(scopesOf(parseReference(`containers-storage:[${store}+/run/store]quay.io/org/app:v`)), [
    `[${store}]quay.io/org/app:v`,
    `[${store}]quay.io/org/app`,
    `[${store}]quay.io/org`,
    `[${store}]quay.io`,
    `[${store}]`,
    `[${root}]`,
  ]);
  assert.deepEqual(scopesOf(parseReference(`containers-storage:[${store}]${HEX}`)), [
    `[${store}]@${HEX}`,
    `[${store}]`,
    `[${root}]`,
  ]);
});

test("scopes: one list wins, the most specific; lists are not merged", () => {
  const list = (path: string) => [{ type: "sigstoreSigned", keyPath: path }];
  const scopes = ["quay.io/org/app:v", "quay.io/org/app", "quay.io/org", "quay.io", "*.io", ""];
  const withScopes = (chosen: readonly string[]) => {
    const docker = Object.fromEntries(chosen.map((scope) => [scope, list(`/${scope}`)]));
    return parsePolicy(Buffer.from(JSON.stringify({ default: list("/default"), transports: { docker } })), "p");
  };
  for (const [index, scope] of scopes.entries()) {
    const found = requirementsFor(withScopes(scopes.slice(index)), parseReference("docker://quay.io/org/app:v"));
    assert.equal(found.scope, `docker ${JSON.stringify(scope)}`);
    assert.equal(found.requirements.length, 1);
  }
  assert.equal(requirementsFor(withScopes([]), parseReference("docker://quay.io/org/app:v")).scope, "the default");
  assert.equal(requirementsFor(withScopes(scopes), parseReference("oci:/x")).scope, "the default");
});
