/** registries.conf: files, rules, and where a reference leads (the cases of spec/chunked-and-policy.md 3.5). */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { parseReference, type RegistryReference } from "../../src/oci/index.ts";
import { endpointForWriting, endpointsForReading } from "../../src/registry/choose-endpoints.ts";
import { findImageInRegistry } from "../../src/registry/index.ts";
import { readRegistriesConfiguration } from "../../src/registry/registries-configuration.ts";
import { parseRegistries } from "../../src/registry/registries-document.ts";
import { layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost, type HostPaths } from "./empty-host.ts";
import { startMisbehavingRegistry } from "./misbehaving-registry.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

function reference(name: string): RegistryReference {
  const parsed = parseReference(`docker://${name}`);
  assert.ok(parsed.transport === "docker");
  return parsed;
}

const DIGEST = `sha256:${"0".repeat(64)}`;

/** The places for a name under a configuration, insecure ones with an exclamation mark. */
function places(toml: string, name: string): string[] {
  const { rules } = parseRegistries(toml, "test.conf");
  return endpointsForReading(reference(name), rules).map(
    ({ host, repository, isInsecure }) => `${isInsecure ? "!" : ""}${host}/${repository}`,
  );
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

test("without a rule an image is where its name says", () => {
  assert.deepEqual(places("", "quay.io/a/b:1"), ["quay.io/a/b"]);
  assert.deepEqual(places('unqualified-search-registries = ["x"]', "quay.io/a/b:1"), ["quay.io/a/b"]);
});

test("the longest prefix rewrites the name; a prefix ends at a slash", () => {
  const toml = `
    [[registry]]
    prefix = "quay.io/a"
    location = "mirror.example/x"
    [[registry]]
    prefix = "quay.io/a/b"
    location = "other.example:5000"
    insecure = true
    [[registry]]
    location = "quay.io"
    insecure = true`;
  assert.deepEqual(places(toml, "quay.io/a/c/d:1"), ["mirror.example/x/c/d"]);
  assert.deepEqual(places(toml, "quay.io/a/b/c:1"), ["!other.example:5000/c"]);
  assert.deepEqual(places(toml, "quay.io/ab:1"), ["!quay.io/ab"]);
  assert.deepEqual(places(toml, "quay.io:443/ab:1"), ["quay.io:443/ab"]);
  // The prefix takes all of the name, so that no repository is left.
  assert.throws(() => places(toml, "quay.io/a/b:1"), {
    code: "corrupt",
    message: /turns it into "other.example:5000"$/,
  });
});

test("a wildcard stands for hosts below a domain; of equally long prefixes the first in byte order counts", () => {
  const toml = `
    [[registry]]
    prefix = "*.example.com"
    insecure = true
    [[registry]]
    prefix = "a.example.com"
    location = "never.example"
    [[registry]]
    prefix = "*.moved.example"
    location = "new.example/m"`;
  assert.deepEqual(places(toml, "a.example.com/x"), ["!a.example.com/x"]);
  assert.deepEqual(places(toml, "b.a.example.com:5000/x"), ["!b.a.example.com:5000/x"]);
  assert.deepEqual(places(toml, "example.com/x"), ["example.com/x"]);
  assert.deepEqual(places(toml, "a.moved.example/x/y"), ["new.example/m/x/y"]);
  assert.deepEqual(places(toml, "a.moved.example:5000/x"), ["a.moved.example:5000/x"]);
});

test("mirrors come first, and say themselves which references they serve", () => {
  const toml = `
    [[registry]]
    location = "quay.io"
    [[registry.mirror]]
    location = "all.example/q"
    [[registry.mirror]]
    location = "digests.example/q"
    pull-from-mirror = "digest-only"
    insecure = true
    [[registry.mirror]]
    location = "tags.example/q"
    pull-from-mirror = "tag-only"`;
  assert.deepEqual(places(toml, "quay.io/a:1"), ["all.example/q/a", "tags.example/q/a", "quay.io/a"]);
  assert.deepEqual(places(toml, `quay.io/a@${DIGEST}`), ["all.example/q/a", "!digests.example/q/a", "quay.io/a"]);
  const { rules } = parseRegistries(toml, "test.conf");
  assert.equal(endpointForWriting(reference("quay.io/a:1"), rules).host, "quay.io");
  const byDigest = toml
    .replace('"quay.io"', '"quay.io"\n mirror-by-digest-only = true')
    .replace(/.*pull-from.*\n?/g, "");
  assert.deepEqual(places(byDigest, "quay.io/a:1"), ["quay.io/a"]);
});

test("a blocked name is neither read nor written", () => {
  const { rules } = parseRegistries(
    '[[registry]]\nprefix = "quay.io/bad"\nlocation = "x.example"\nblocked = true',
    "t",
  );
  const refused = {
    code: "no-access",
    message: 'Cannot open image docker://quay.io/bad/a:1: registries.conf blocks "quay.io/bad"',
  };
  assert.throws(() => endpointsForReading(reference("quay.io/bad/a:1"), rules), refused);
  assert.throws(() => endpointForWriting(reference("quay.io/bad/a:1"), rules), refused);
  assert.deepEqual(endpointsForReading(reference("quay.io/badly:1"), rules).length, 1);
  for (const spelled of ["QUAY.io/bad/a:1", "quay.io:443/bad/a", `Quay.IO:0443/bad/a@${DIGEST}`]) {
    const blocked = { code: "no-access", message: /: registries\.conf blocks "quay\.io\/bad"$/ };
    assert.throws(() => endpointsForReading(reference(spelled), rules), blocked, spelled);
    assert.throws(() => endpointForWriting(reference(spelled), rules), blocked, spelled);
  }
  const hub = parseRegistries('[[registry]]\nlocation = "docker.io/library/bad"\nblocked = true', "t").rules;
  for (const spelled of ["index.docker.io/library/bad", "registry-1.docker.io/library/bad", "docker.io/bad"]) {
    assert.throws(() => endpointsForReading(reference(spelled), hub), { code: "no-access" }, spelled);
  }
});

test("what contradicts itself, has a scheme or is of version 1 is refused with the file and the place", () => {
  const cases: [string, string, RegExp][] = [
    ["[[registry]\n", "corrupt", /^Cannot read t\.conf: line 1: /],
    ['[[registry]]\nlocation = "https://quay.io"', "corrupt", /registry\.0\.location: is a web address/],
    ["[[registry]]\ninsecure = true", "corrupt", /has neither prefix nor location$/],
    ['[[registry]]\nprefix = "quay.io/a"', "corrupt", /registry "quay\.io\/a": location is missing$/],
    ['[[registry]]\nprefix = "*.a/b"', "corrupt", /a wildcard stands for the beginning of a host/],
    ['[[registry]]\nlocation = "a.b"\ninsecure = "yes"', "corrupt", /registry\.0\.insecure: /],
    ['[[registry]]\nlocation = "a.b"\n[[registry.mirror]]\ninsecure = true', "corrupt", /mirror\.0\.location: /],
    [
      '[[registry]]\nlocation="a.b"\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation="c"\npull-from-mirror="all"',
      "corrupt",
      /exclude each other$/,
    ],
    [
      '[[registry]]\nlocation = "a.b"\nblock = true',
      "corrupt",
      /^Cannot read t\.conf: registry\.0\.block is not known here$/,
    ],
    [
      '[[registry]]\nlocation = "a.b"\n[[registry.mirror]]\nlocation="c.d"\nInsecure=true',
      "corrupt",
      /registry\.0\.mirror\.0\.Insecure is not known/,
    ],
    ['[[registrys]]\nlocation = "a.b"', "corrupt", /^Cannot read t\.conf: registrys is not known here$/],
    [
      '[[registry]]\nlocation = "a.b"\n[[registry]]\nlocation = "a.b/"',
      "corrupt",
      /there are two rules for "a\.b", of which one/,
    ],
    [
      '[[registry]]\nprefix = "debian"\nlocation = "a.b"',
      "corrupt",
      /prefix "debian" can never match: names are compared in full; write "docker\.io\/library\/debian"$/,
    ],
    [
      '[[registry]]\nprefix = "quay.io/a:1"\nlocation = "a.b"',
      "corrupt",
      /prefix "quay\.io\/a:1" can never match: names are compared without tag and digest; write the repository$/,
    ],
    [
      '[[registry]]\nprefix = "quay.io/A"\nlocation = "a.b"',
      "corrupt",
      /can never match: "A" is not the name of a repository/,
    ],
    [
      '[[registry]]\nprefix = "quay.io:99999"\nlocation = "a.b"',
      "corrupt",
      /can never match: "quay\.io:99999" is not a host$/,
    ],
    [
      '[[registry]]\nprefix = "quay.io"\nlocation = "256.1.1.1/x"',
      "corrupt",
      /location "256\.1\.1\.1\/x": "256\.1\.1\.1" is not a host$/,
    ],
    [
      '[[registry]]\nlocation = "a.b"\n[[registry.mirror]]\nlocation="mirror/x"',
      "corrupt",
      /location "mirror\/x": "mirror" is not a host$/,
    ],
    ['[registries.search]\nregistries = ["a"]', "unsupported", /\[registries\.search\] is configuration of version 1$/],
  ];
  for (const [toml, code, message] of cases) {
    assert.throws(() => parseRegistries(toml, "t.conf"), { code, message }, toml);
  }
});

test("many slashes take no more time than other letters", () => {
  const slashes = "/".repeat(200_000);
  const { rules } = parseRegistries(`[[registry]]\nprefix = "a.b/b${slashes}"\nlocation = "c.d${slashes}"`, "t");
  assert.deepEqual([rules[0]?.prefix, rules[0]?.location], ["a.b/b", "c.d"]);
  const inside = `[[registry]]\nprefix = "a.b${slashes}b"\nlocation = "c.d${slashes}"`;
  assert.throws(() => parseRegistries(inside, "t"), { code: "corrupt" });
});

test("files: the user's main file hides the system's; drop-ins replace whole rules, in the order of their names", async () => {
  const paths = await emptyHost(scratch.path);
  const { rules, credentialHelpers } = await readRegistriesConfiguration(paths);
  assert.deepEqual([rules, credentialHelpers], [[], ["containers-auth.json"]]);
  const system = join(paths.etcDirectory, "containers");
  const user = join(paths.homeDirectory, ".config/containers");
  const rule = (location: string) => `[[registry]]\nprefix = "p.example"\nlocation = "${location}"\n`;
  const location = async (main?: string) =>
    (await readRegistriesConfiguration(paths, main)).rules.map((each) => each.location).join(" ");
  await put(join(paths.shareDirectory, "containers/registries.conf"), rule("share.example"));
  assert.equal(await location(), "share.example");
  await put(join(system, "registries.conf"), `credential-helpers = ["one"]\n${rule("etc.example")}`);
  assert.equal(await location(), "etc.example");
  await put(join(user, "registries.conf"), rule("user.example"));
  assert.equal(await location(), "user.example");
  await put(join(system, "registries.conf.d/50-a.conf"), rule("etc-50.example"));
  assert.equal(await location(), "etc-50.example");
  await put(join(user, "registries.conf.d/20-b.conf"), rule("user-20.example"));
  assert.equal(await location(), "etc-50.example");
  await put(join(user, "registries.conf.d/50-a.conf"), 'credential-helpers = ["two", "three"]');
  assert.equal(await location(), "user-20.example");
  assert.deepEqual((await readRegistriesConfiguration(paths)).credentialHelpers, ["two", "three"]);
  await put(join(scratch.path, "given.conf"), '[[registry]]\nlocation = "given.example"');
  assert.equal(await location(join(scratch.path, "given.conf")), "given.example user-20.example");
  await assert.rejects(location(join(scratch.path, "absent.conf")), { code: "not-found" });
  await put(
    join(system, "registries.conf.d/60-c.conf"),
    '[[registry]]\nprefix = "q.example"\nlocation = "user-20.example"\ninsecure = true',
  );
  await assert.rejects(location(), {
    code: "corrupt",
    message: /"p.example" and "q.example" disagree whether user-20.example is insecure$/,
  });
});

test("the first place that has the manifest serves everything; when all fail all reasons are told", async () => {
  const image = await layeredImage(join(scratch.path, "image"), [randomFiles("a", [10])]);
  const [empty, full] = [await startMisbehavingRegistry(image.layout), await startMisbehavingRegistry(image.layout)];
  try {
    const paths = await emptyHost(scratch.path);
    await put(
      join(paths.etcDirectory, "containers/registries.conf"),
      `[[registry]]
      location = "original.example"
      blocked = false
      [[registry.mirror]]
      location = "${empty.host}"
      [[registry.mirror]]
      location = "${full.host}"`,
    );
    empty.behaviour = ({ response }) => {
      response.writeHead(404).end();
    };
    const credentials = { type: "password", userName: "a", password: "b" } as const;
    const { client } = await findImageInRegistry(reference("original.example/image:t"), { paths, credentials });
    await client.close();
    assert.deepEqual([client.endpoint.host, empty.log.length, full.log.length], [full.host, 1, 1]);
    full.behaviour = ({ request, response }) => {
      // Credentials for the name that was typed are not for its mirrors.
      assert.equal(request.headers.authorization, undefined);
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    };
    const asked = findImageInRegistry(reference("original.example/image:t"), {
      paths: onlyMirrors(paths),
      credentials,
      limits: { retries: 0 },
    });
    await assert.rejects(asked, (error: Error) => {
      assert.match(error.message, /status 404; Cannot read manifest .* status 401; Cannot reach https:\/\/original/);
      return true;
    });
  } finally {
    await empty.stop();
    await full.stop();
  }
});

/** A machine whose proxy is nobody: no name is looked up on the network. */
function onlyMirrors(paths: HostPaths): HostPaths {
  return { ...paths, environment: { https_proxy: "http://127.0.0.1:9" } };
}
