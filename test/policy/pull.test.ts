import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { loadPolicy } from "../../src/policy/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { type Fixture, openFixture, SIGNED_IMAGE, SIGNED_REPOSITORY } from "./fixture.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let fixture: Fixture;
let repository: string;
before(async () => {
  scratch = await scratchDirectory();
  fixture = await openFixture(scratch.path);
  repository = join(scratch.path, "repository");
  await run("repo", "init", "--insecure", repository);
});
after(() => scratch.remove());

/** Runs one command line in this process. */
async function run(...words: string[]) {
  const remarks: string[] = [];
  const exit = await main(words, {
    line: () => {},
    bytes: async () => {},
    json: () => {},
    remark: (text) => void remarks.push(text),
  });
  return { exit, remarks: remarks.join("\n") };
}

async function policyFile(name: string, policy: object): Promise<string> {
  const path = join(scratch.path, name);
  await writeFile(path, JSON.stringify(policy));
  return path;
}

function signed(keyPath: string) {
  const signedIdentity = { type: "exactRepository", dockerRepository: SIGNED_REPOSITORY };
  return {
    default: [{ type: "reject" }],
    transports: { oci: { "": [{ type: "sigstoreSigned", keyPath, signedIdentity }] } },
  };
}

/** Names of images and tags in the repository. */
async function names(): Promise<string[]> {
  const below = await readdir(join(repository, "streams"), { recursive: true }).catch(() => []);
  return below.filter((name) => name.startsWith("refs") || name.startsWith("oci-"));
}

test("a refused image is exit code 1, one line, and nothing in the repository", async () => {
  const reference = `oci:${fixture.directory}:v`;
  const path = await policyFile("other.json", signed(fixture.otherKey));
  const { exit, remarks } = await run("image", "pull", "--repo", repository, "--policy", path, reference, "it");
  assert.equal(exit, 1);
  const wrong = "cryptographic signature verification failed";
  assert.match(
    remarks,
    new RegExp(
      `Cannot accept image ${reference}: requirement 1 \\(sigstoreSigned\\) of oci "" in ${path}: ` +
        `None of the signatures were accepted, reasons: ${wrong}; ${wrong}`,
    ),
  );
  assert.deepEqual(await names(), []);
});

test("an accepted image is pulled; so is any with --insecure-policy", async () => {
  const reference = `oci:${fixture.directory}:v`;
  const accepting = await policyFile("right.json", signed(fixture.key));
  const pull = (...options: string[]) => run("image", "pull", "--repo", repository, ...options, reference, "it");
  assert.deepEqual(
    [await pull("--policy", accepting)].map(({ exit }) => exit),
    [0],
  );
  assert.ok((await names()).some((name) => name.includes(SIGNED_IMAGE.slice("sha256:".length))));
  process.env.CONTAINERS_POLICY_JSON = await policyFile("reject.json", { default: [{ type: "reject" }] });
  try {
    assert.match((await pull()).remarks, /of the default in .*reject\.json: Running image is rejected by policy/);
    assert.equal((await pull("--insecure-policy")).exit, 0);
    assert.equal((await pull("--policy", accepting)).exit, 0);
    const both = await pull("--policy", accepting, "--insecure-policy");
    assert.match(both.remarks, /^sealroot: --insecure-policy and --policy exclude each other$/m);
  } finally {
    delete process.env.CONTAINERS_POLICY_JSON;
  }
});

test("a policy that cannot be read stops the pull", async () => {
  const reference = `oci:${fixture.directory}:v`;
  const pull = (path: string) => run("image", "pull", "--repo", repository, "--policy", path, reference, "it");
  const damaged = await policyFile("damaged.json", { default: [] });
  assert.match((await pull(damaged)).remarks, /Cannot read policy .*damaged\.json: default is an empty list/);
  assert.match((await pull(join(scratch.path, "absent.json"))).remarks, /Cannot read policy: ENOENT/);
});

test("an enforced policy must exist and decide", async () => {
  const accepting = await policyFile("all.json", { default: [{ type: "insecureAcceptAnything" }] });
  const deciding = await policyFile("some.json", { default: [{ type: "reject" }] });
  await assert.rejects(loadPolicy({ path: accepting, enforced: true }), {
    code: "untrusted",
    message: `Cannot enforce policy ${accepting}: its default accepts anything`,
  });
  assert.equal((await loadPolicy({ path: deciding, enforced: true }))?.path, deciding);
  assert.equal((await loadPolicy({ path: accepting }))?.path, accepting);
  assert.equal(await loadPolicy("accept-anything"), undefined);
});

test("a copy asks the policy about each image", async () => {
  const path = await policyFile("other.json", signed(fixture.otherKey));
  for (const all of [[], ["--all"]]) {
    const target = `dir:${join(scratch.path, `copy-${all.length}`)}`;
    const copy = (...options: string[]) =>
      run("image", "copy", ...all, ...options, `oci:${fixture.directory}:v`, target);
    assert.match((await copy("--policy", path)).remarks, /Cannot accept image .*cryptographic signature verification/);
    assert.equal((await copy("--policy", await policyFile("right.json", signed(fixture.key)))).exit, 0);
  }
});

test("seal and install ask the policy before they write anything", async () => {
  const path = await policyFile("reject.json", { default: [{ type: "reject" }] });
  const [image, output] = [`oci:${fixture.directory}:v`, join(scratch.path, "out")];
  const seal = await run("seal", image, "-o", `oci:${output}`, "--unsigned", "--policy", path);
  assert.match(seal.remarks, /Cannot accept image .*: Running image is rejected by policy/);
  const disk = join(scratch.path, "disk.img");
  const install = ["install", "to-disk", disk, "--size", "4G", "--source-imgref", image];
  const refused = await run(...install, "--policy", path);
  assert.match(refused.remarks, /Cannot accept image .*: Running image is rejected by policy/);
  const undecided = await policyFile("all.json", { default: [{ type: "insecureAcceptAnything" }] });
  const enforced = await run(...install, "--policy", undecided, "--enforce-container-sigpolicy");
  assert.match(enforced.remarks, /Cannot enforce policy .*all\.json: its default accepts anything/);
  for (const name of await readdir(scratch.path)) assert.ok(!/^(?:out|disk\.img)/.test(name), name);
});
