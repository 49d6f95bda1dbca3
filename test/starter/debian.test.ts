/** What `sealroot init` writes for Debian builds as it is: an ordinary user follows the recipes as far as the disk. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { PodmanUser } from "../docs/podman-user.ts";
import { recipesOf } from "./justfile.ts";

/** No test reaches the registry that has it, so one like it is made of Debian's packages. */
const BASE = "docker.io/library/debian:13";

test("from sealroot init to a disk that verifies, recipe by recipe", () => {
  using podman = new PodmanUser();
  const directory = podman.user.directory("projects");
  const succeed = (script: string, place = directory) => {
    const { exitCode, stdout, stderr } = podman.run(`set -e\n${script}`, place);
    assert.equal(exitCode, 0, `${script}\n${stdout}${stderr}`);
    return stdout;
  };
  const options = ["--quiet", "--variant=apt", "--dpkgopt=force-unsafe-io"];
  execFileSync("mmdebstrap", [...options, "trixie", join(directory, "base.tar")]);
  succeed(`podman import --quiet base.tar ${BASE}\nsealroot init os`);
  const project = join(directory, "os");
  const recipes = recipesOf(join(project, "justfile"));
  const recipe = (name: string) => succeed(recipes.get(name)?.join("\n") ?? "false", project);
  recipe("keys");
  recipe("build");
  assert.doesNotMatch(recipe("lint"), /Failed lint|seal-/);
  const digest = /^composefs +([0-9a-f]{128})$/m.exec(recipe("seal"))?.[1];
  assert.ok(digest !== undefined);
  const shown = recipe("inspect");
  assert.match(shown, new RegExp(`command line +composefs=${digest} rw console=ttyS0`));
  assert.match(shown, /└─ signature 1\n/);
  assert.match(recipe("disk"), new RegExp(digest));
  recipe("verify");
  // The context of the build had no key.
  const seen = succeed(
    `printf 'FROM ${BASE}\\nCOPY . /context\\n' >look
    podman build --quiet --file look --tag look . >&2
    podman unshare sh -c 'cd "$(podman image mount look)"/context && find . -type f'`,
    project,
  );
  assert.ok(seen.includes("Containerfile"));
  assert.doesNotMatch(seen, /\.key|keys\/|build\//);
});
