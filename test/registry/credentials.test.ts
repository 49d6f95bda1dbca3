/** Where credentials come from (spec/chunked-and-policy.md 3.6). */
import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { findCredentials } from "../../src/registry/credentials.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost, type HostPaths } from "./empty-host.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
const path = process.env.PATH;
before(async () => {
  scratch = await scratchDirectory();
  await helper("good", 'echo "$1" >&2; cat >/dev/null; echo \'{"Username":"helped","Secret":"s:1"}\'');
  await helper("token", 'cat >/dev/null; echo \'{"Username":"<token>","Secret":"identity"}\'');
  await helper("empty", 'cat >/dev/null; echo "credentials not found in native keychain"; exit 1');
  await helper("locked", 'cat >/dev/null; echo "the key ring is locked"; exit 1');
  await helper("odd", "cat >/dev/null; echo 7");
  process.env.PATH = `${scratch.path}:${path}`;
});
after(async () => {
  process.env.PATH = path;
  await scratch.remove();
});

async function helper(name: string, script: string): Promise<void> {
  const file = join(scratch.path, `docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

const auth = (text: string) => Buffer.from(text).toString("base64");
const entry = (text: string) => ({ auth: auth(text) });

async function put(file: string, content: object | string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

interface Search {
  readonly authFile?: string;
  readonly helpers?: readonly string[];
}

/** What is found, as `user:password` or `token …`. */
async function found(paths: HostPaths, name: string, search: Search = {}): Promise<string | undefined> {
  const slash = name.indexOf("/");
  const credentials = await findCredentials({
    host: name.slice(0, slash),
    repository: name.slice(slash + 1),
    authFile: search.authFile,
    helpers: search.helpers ?? ["containers-auth.json"],
    paths,
  });
  if (credentials?.type === "identity-token") return `token ${credentials.token}`;
  return credentials && `${credentials.userName}:${credentials.password}`;
}

test("the first file with a hit counts, in the order run, home, docker, legacy", async () => {
  const paths = await emptyHost(scratch.path);
  const { homeDirectory: home } = paths;
  assert.equal(await found(paths, "r.example/a"), undefined);
  await put(join(home, ".dockercfg"), { "r.example": entry("legacy:1") });
  assert.equal(await found(paths, "r.example/a"), "legacy:1");
  await put(join(home, ".docker/config.json"), { auths: { "r.example": entry("docker:1") } });
  assert.equal(await found(paths, "r.example/a"), "docker:1");
  await put(join(home, ".config/containers/auth.json"), { auths: { "r.example": entry("home:1") } });
  assert.equal(await found(paths, "r.example/a"), "home:1");
  await put(join(paths.runDirectory, "containers/1000/auth.json"), { auths: { "r.example/b": entry("run:1") } });
  assert.deepEqual([await found(paths, "r.example/a"), await found(paths, "r.example/b")], ["home:1", "run:1"]);
  const runtime = join(scratch.path, "runtime");
  await put(join(runtime, "containers/auth.json"), { auths: { "r.example": entry("runtime:1") } });
  const environment = { XDG_RUNTIME_DIR: runtime, DOCKER_CONFIG: join(scratch.path, "docker") };
  assert.equal(await found({ ...paths, environment }, "r.example/b"), "runtime:1");
  await put(join(scratch.path, "docker/config.json"), { auths: { "s.example": entry("docker-config:1") } });
  assert.equal(await found({ ...paths, environment }, "s.example/b"), "docker-config:1");
  const given = await put(join(scratch.path, "given.json"), { auths: { "t.example": entry("given:1") } });
  assert.equal(await found({ ...paths, environment: { REGISTRY_AUTH_FILE: given } }, "r.example/a"), undefined);
  assert.equal(await found(paths, "t.example/a", { authFile: given }), "given:1");
  await assert.rejects(found(paths, "t.example/a", { authFile: join(scratch.path, "absent") }), { code: "not-found" });
});

test("within a file the nearest key counts, then a host that is written otherwise", async () => {
  const paths = await emptyHost(scratch.path);
  const authFile = await put(join(scratch.path, "keys.json"), {
    auths: {
      "r.example": entry("host:1"),
      "r.example/a": entry("folder:1"),
      "r.example/a/b": entry("repository:with:colons\0\0"),
      "r.example/empty": {},
      "https://index.docker.io/v1/": entry("hub:1"),
      "http://s.example/v2/": entry("s:1"),
      "t.example": { identitytoken: "abc", auth: auth("t:ignored") },
      "u.example": { auth: auth("no colon") },
      "v.example": { auth: "!!" },
    },
  });
  const cases: [string, string | undefined][] = [
    ["r.example/a/b", "repository:with:colons"],
    ["r.example/a/c", "folder:1"],
    ["r.example/ab", "host:1"],
    ["r.example/empty", "host:1"],
    ["r.example:5000/a", undefined],
    ["docker.io/library/debian", "hub:1"],
    ["s.example/a", "s:1"],
    ["t.example/a", "token abc"],
    ["u.example/a", undefined],
  ];
  for (const [name, expected] of cases) assert.equal(await found(paths, name, { authFile }), expected, name);
  await assert.rejects(found(paths, "v.example/a", { authFile }), {
    code: "corrupt",
    message: `Cannot read credentials: ${authFile}: auth of "v.example" is not base64`,
  });
});

test("null is absent, fields of their own are a login, and base64 may have line breaks", async () => {
  const paths = await emptyHost(scratch.path);
  const long = `user:${"p".repeat(80)}`;
  const broken = auth(long).replace(/(.{76})/g, "$1\n");
  assert.match(broken, /\n/);
  const authFile = await put(join(scratch.path, "nulls.json"), {
    auths: {
      "null.example": null,
      "nulls.example": { auth: null, identitytoken: null, username: null },
      "fields.example": { username: "u", password: "p:w" },
      "both.example": { auth: auth("a:1"), username: "b", password: "2" },
      "empty.example": { auth: "", username: "", password: "x" },
      "broken.example": { auth: broken },
    },
    credHelpers: null,
    credsStore: null,
  });
  const cases: [string, string | undefined][] = [
    ["null.example/a", undefined],
    ["nulls.example/a", undefined],
    ["fields.example/a", "u:p:w"],
    ["both.example/a", "a:1"],
    ["empty.example/a", undefined],
    ["broken.example/a", long],
  ];
  for (const [name, expected] of cases) assert.equal(await found(paths, name, { authFile }), expected, name);
  const nothing = await put(join(scratch.path, "no-auths.json"), { auths: null });
  assert.equal(await found(paths, "a.b/c", { authFile: nothing }), undefined);
});

test("docker's own store of logins is asked after the file, and need not be installed", async () => {
  const paths = await emptyHost(scratch.path);
  const file = (store: string) =>
    put(join(scratch.path, `store-${store}.json`), {
      auths: { "own.example": entry("own:1"), "other.example": {} },
      credsStore: store,
    });
  const good = await file("good");
  assert.equal(await found(paths, "own.example/a", { authFile: good }), "own:1");
  assert.equal(await found(paths, "other.example/a", { authFile: good }), "helped:s:1");
  assert.equal(await found(paths, "docker.io/library/debian", { authFile: good }), "helped:s:1");
  assert.equal(await found(paths, "other.example/a", { authFile: await file("not-installed") }), undefined);
  await assert.rejects(found(paths, "other.example/a", { authFile: await file("locked") }), { code: "failed" });
});

test("a file that does not hold credentials is refused, without a word of its content", async () => {
  const paths = await emptyHost(scratch.path);
  for (const text of ["{ secret", '{"auths":["secret"]}', '{"auths":{"a.b":{"auth":5,"secret":1}}}']) {
    const authFile = await put(join(scratch.path, "broken.json"), text);
    await assert.rejects(found(paths, "a.b/c", { authFile }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "corrupt");
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
  const authFile = await put(join(scratch.path, "nothing.json"), "");
  assert.equal(await found(paths, "a.b/c", { authFile }), undefined);
});

test("helper programs are asked as the file or registries.conf says", async () => {
  const paths = await emptyHost(scratch.path);
  const authFile = await put(join(scratch.path, "helpers.json"), {
    auths: { "empty.example": entry("fallback:1") },
    credHelpers: { "good.example": "good", "token.example": "token", "empty.example": "empty", "path.example": "../x" },
  });
  assert.equal(await found(paths, "good.example/a", { authFile }), "helped:s:1");
  assert.equal(await found(paths, "token.example/a", { authFile }), "token identity");
  assert.equal(await found(paths, "empty.example/a", { authFile }), "fallback:1");
  assert.equal(await found(paths, "good.example:5000/a", { authFile }), undefined);
  await assert.rejects(found(paths, "path.example/a", { authFile }), { code: "corrupt" });
  assert.equal(await found(paths, "x.example/a", { helpers: ["empty", "containers-auth.json", "good"] }), "helped:s:1");
  await assert.rejects(found(paths, "x.example/a", { helpers: ["locked"] }), {
    code: "failed",
    message: "Cannot get credentials for x.example: docker-credential-locked: the key ring is locked",
  });
  await assert.rejects(found(paths, "x.example/a", { helpers: ["odd"] }), {
    code: "failed",
    message: /something else$/,
  });
  await assert.rejects(found(paths, "x.example/a", { helpers: ["absent"] }), { code: "missing-tool" });
});
