/** `sealroot init`: what it writes, and that it never replaces anything. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { COMMANDS } from "../../src/cli/commands.ts";
import { parseInvocation } from "../../src/cli/parse.ts";
import { run } from "../cli/run-verb.ts";
import { recipesOf } from "./justfile.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-init-"));
after(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const FILES = [
  ...["Containerfile", "README.md", "justfile", ".gitignore", ".containerignore", "sealed-image.sh"],
  ".github/workflows/sealed-image.yml",
];

async function init(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run("init", ...words);
  assert.equal(exitCode, 0, err);
  return out;
}

test("a project has a Containerfile, recipes, what keeps keys away, and a workflow", async () => {
  const before = process.umask(0o077);
  try {
    assert.equal(await init(at("os"), "--image", "quay.io/me/my-os"), `${FILES.join("\n")}\n`);
  } finally {
    process.umask(before);
  }
  const modes = FILES.map((name) => statSync(join(at("os"), name)).mode & 0o777);
  assert.deepEqual(modes, [0o644, 0o644, 0o644, 0o644, 0o644, 0o755, 0o644]);
  assert.deepEqual(
    globSync("**/*", { cwd: at("os") })
      .filter((name) => statSync(join(at("os"), name)).isFile())
      .sort(),
    ["Containerfile", "README.md", "justfile", "sealed-image.sh"],
  );
  const text = (name: string) => readFileSync(join(at("os"), name), "utf8");
  assert.ok(text("justfile").includes("docker://quay.io/me/my-os:latest"));
  assert.ok(!FILES.some((name) => text(name).includes("@IMAGE@")));
  assert.match(text("Containerfile"), /^FROM docker\.io\/library\/debian:13$/m);
  assert.equal(parse(text(".github/workflows/sealed-image.yml")).name, "sealed image");
  execFileSync("sh", ["-n", join(at("os"), "sealed-image.sh")]);
});

test("git takes no private key and nothing that was made", async () => {
  await init(at("ignored"));
  mkdirSync(at("ignored/keys"));
  for (const name of ["keys/db.key", "keys/db.pem", "build/disk.img"]) {
    mkdirSync(join(at("ignored"), name, ".."), { recursive: true });
    writeFileSync(join(at("ignored"), name), "x");
  }
  execFileSync("git", ["init", "--quiet"], { cwd: at("ignored") });
  execFileSync("git", ["add", "."], { cwd: at("ignored") });
  const listed = execFileSync("git", ["ls-files"], { cwd: at("ignored"), encoding: "utf8" })
    .trim()
    .split("\n");
  assert.deepEqual(listed.sort(), [...FILES, "keys/db.pem"].sort());
});

test("a base of Fedora's kind", async () => {
  await init(at("fedora"), "--base", "fedora");
  const text = readFileSync(at("fedora/Containerfile"), "utf8");
  assert.match(text, /^FROM quay\.io\/fedora\/fedora-bootc:/m);
  assert.match(text, /systemd-boot-unsigned quickjs/);
});

test("it may be run again; a file of other content stays, and then nothing is written", async () => {
  await init(at("again"));
  rmSync(at("again/justfile"));
  await init(at("again"));
  assert.ok(existsSync(at("again/justfile")));
  mkdirSync(at("mine"));
  writeFileSync(at("mine/README.md"), "my own words");
  const { exitCode, err } = await run("init", at("mine"));
  assert.equal(exitCode, 1);
  assert.match(err, /mine\/README\.md is there with other content/);
  assert.deepEqual(globSync("**/*", { cwd: at("mine") }), ["README.md"]);
});

test("a directory that cannot be, and a name with a tag, are refused", async () => {
  writeFileSync(at("file"), "");
  assert.equal((await run("init", at("file/below"))).exitCode, 1);
  for (const image of ["os", "quay.io/me/os:1", "quay.io/a b", "--"]) {
    const { exitCode } = await run("init", at("refused"), "--image", image);
    assert.equal(exitCode, 2, image);
  }
  assert.ok(!existsSync(at("refused")));
});

test("every command of the recipes is one that there is, with its options", async () => {
  const recipes = recipesOf(at("os/justfile"));
  assert.deepEqual(
    [...recipes.keys()],
    ["_default", ...["keys", "build", "lint", "seal", "inspect", "disk", "verify", "run", "publish"]],
  );
  let checked = 0;
  for (const line of [...recipes.values()].flat()) {
    const words = /\bsealroot (.*?)'?$/.exec(line)?.[1]?.split(" ");
    if (words === undefined) continue;
    const entry = COMMANDS.find(({ path }) => path.every((word, index) => words[index] === word));
    assert.ok(entry !== undefined, line);
    // Quotes are the shell's; what they hold is one word here.
    const rest = words
      .slice(entry.path.length)
      .join(" ")
      .replace(/"\$\(.*\)"/, "DIR")
      .split(" ");
    assert.equal(parseInvocation(entry, await entry.load(), rest).type, "run", line);
    checked++;
  }
  assert.equal(checked, 8);
});
