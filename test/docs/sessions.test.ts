/** What README and the pages in docs/ tell a reader to type is typed here, by an ordinary user in a clean clone. */
import assert from "node:assert/strict";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { makeSealedDisk } from "../../examples/debian/sealed-disk.ts";
import { silent } from "../../src/events/index.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles, sealImage } from "../install/sealed-image.ts";
import { startDockerRegistry } from "../registry/docker-registry.ts";
import { FixtureDisks } from "../verify/fixture-disk.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { assertSession, OrdinaryUser } from "./ordinary-user.ts";

const CHECKOUT = join(import.meta.dirname, "../..");
const README = readFileSync(join(CHECKOUT, "README.md"), "utf8");

let user: OrdinaryUser;
before(() => {
  user = new OrdinaryUser();
});
after(() => user[Symbol.dispose]());

const session = (document: string, info: string) => fencedBlocks(readDocument(document), info).join("");

test("docs/repository.md: the session prints what it shows", () => {
  assertSession(user, session("repository.md", "console"), user.directory("repository"));
});

test("docs/command-line.md: errors, JSON and ids are as shown", () => {
  assertSession(user, session("command-line.md", "console command-line"), user.directory("command-line"));
});

test("docs/digests.md: differences are named as shown", () => {
  assertSession(user, session("digests.md", "console digests"), user.directory("digests"));
});

test("docs/images.md: the policies accept and refuse as shown", () => {
  const directory = user.directory("signatures");
  for (const name of ["policy.json", "strangers.json"]) {
    const [policy, ...others] = fencedBlocks(readDocument("images.md"), `json ${name}`);
    assert.ok(policy !== undefined && others.length === 0);
    writeFileSync(join(directory, name), policy);
  }
  assertSession(user, session("images.md", "console signatures"), directory);
});

test("docs/images.md: pulling goes as shown", () => {
  assertSession(user, session("images.md", "console pulling"), user.directory("pulling"));
});

test("docs/images.md: copying goes as shown, with a registry", async () => {
  const registry = await startDockerRegistry();
  try {
    const shown = session("images.md", "console copying");
    assert.ok(shown.includes("localhost:5000"));
    assertSession(user, shown.replaceAll("localhost:5000", registry.host), user.directory("copying"));
  } finally {
    await registry.stop();
  }
});

test("docs/install.md: a disk is changed as shown", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-editing-"));
  try {
    const { reference } = await sealImage(directory, baseFiles());
    const words = [
      "--source-imgref",
      reference,
      "--size",
      "1200M",
      "--insecure-policy",
      "--target-imgref",
      "quay.io/example/os:1",
    ];
    const made = await run("install", "to-disk", join(directory, "disk.img"), ...words);
    assert.equal(made.exitCode, 0, made.err);
    user.take(join(directory, "disk.img"), "disk.img");
    assertSession(user, session("install.md", "console editing"), user.clone);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("docs/trust.md: a disk is asked, and changed, as shown", async () => {
  using disks = new FixtureDisks();
  const { path } = await disks.make();
  user.take(path, "disk.img");
  assertSession(user, session("trust.md", "console trust"), user.clone);
  for (const name of ["disk.img", "changed.img", "disk.json", "forged.json"]) rmSync(join(user.clone, name));
});

/** What `./just build-sealed` leaves; the two commands themselves are run by build-sealed.test.ts. */
test("README: every step by hand, and looking inside", async () => {
  const { image } = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
  user.run("mkdir build");
  user.take(image.directory, "build/debian");
  const [steps = "", inside = "", ...others] = fencedBlocks(README, "sh");
  assert.deepEqual(others, []);
  const made = user.run(`set -e\n${steps}`);
  assert.equal(made.exitCode, 0, made.stdout + made.stderr);
  const sealed = /^composefs +([0-9a-f]{128})$/m.exec(made.stdout)?.[1];
  assert.ok(sealed !== undefined && made.stdout.includes(`composefs:${sealed}`), made.stdout);
  const looked = user.run(`set -e\n${inside}`);
  assert.equal(looked.exitCode, 0, looked.stdout + looked.stderr);
  assert.ok(looked.stdout.split("\n").includes(sealed), looked.stdout);
  assert.match(looked.stdout, /^PRETTY_NAME="Debian/m);
  assert.match(looked.stdout, /^status: ok$/m);
  assert.match(looked.stdout, /^written {2}oci-archive:build\/os\.tar$/m);
  assert.match(looked.stdout, /^disk build\/my\.img$/m);
  assert.match(looked.stdout, /^verified, but for what is marked unchecked; \d+ objects, .* hashed$/m);
});

/** Blocks whose commands a test runs, by document. */
const RUN: Readonly<Record<string, readonly string[]>> = {
  "README.md": ["sh"],
  "docs/repository.md": ["console"],
  "docs/install.md": ["console editing", "sh unsealed"], // the latter: test/vm/type1-host.test.ts
  // host.test.ts, ../host/source-options.test.ts, plan.test.ts, addons.test.ts, ../vm/host-program.test.ts
  "docs/host.md": ["console host", "console unsealed-host", "console plan", "console addons", "sh updates"],
  "docs/command-line.md": ["console command-line"],
  "docs/digests.md": ["console digests"],
  "docs/images.md": ["console signatures", "console pulling", "console copying"],
  "docs/trust.md": ["console trust"],
  "docs/sealing.md": ["console sealing", "console addons-made"], // sealing.test.ts
  "docs/shapes.md": ["console shapes"], // shapes.test.ts
  "docs/measured-boot.md": ["console measured", "sh encrypted"], // measured-boot.test.ts, ../vm/encrypted.test.ts
  "docs/containerfile.md": ["sh containerfile", "sh sealed-build"], // containerfile.test.ts, sealed-build.test.ts
};
/** `./just build-sealed` and `./just test` cannot run in a test of their own. */
const TWO_COMMANDS = /^\.\/just (?:build-sealed|test) +#/m;

test("no document shows a command that is not run", () => {
  for (const path of ["*.md", "docs/*.md"].flatMap((pattern) => globSync(pattern, { cwd: CHECKOUT }))) {
    if (path === "docs/cli.md") continue; // made of the verbs' own examples
    assert.ok([".", "docs"].includes(dirname(path)));
    const blocks = readFileSync(join(CHECKOUT, path), "utf8").matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm);
    for (const [, info = "", text = ""] of blocks) {
      if (RUN[path]?.includes(info) || (path === "README.md" && TWO_COMMANDS.test(text))) continue;
      assert.doesNotMatch(text, /^(?:\$ |(?:bin\/)?sealroot |\.\/just )/m, `${path}: a block "${info}"`);
    }
  }
});
