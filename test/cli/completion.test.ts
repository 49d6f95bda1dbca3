import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { COMMANDS, GROUPS } from "../../src/cli/commands.ts";
import { completeWords } from "../../src/cli/complete.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";

const TABLE = { entries: COMMANDS, groups: GROUPS };
const CHECKOUT = join(import.meta.dirname, "../..");

let work: TemporaryDirectory;
before(() => {
  work = temporaryDirectory({ purpose: "test" });
  process.on("exit", () => work.remove());
  mkdirSync(join(work.path, "repo/streams/refs/oci"), { recursive: true });
  mkdirSync(join(work.path, "repo/images"));
  writeFileSync(join(work.path, "repo/streams/refs/oci/quay.io%2Fos:1"), "");
  writeFileSync(join(work.path, "repo/images", "ab".repeat(64)), "");
  mkdirSync(join(work.path, "layouts/debian"), { recursive: true });
  mkdirSync(join(work.path, "layouts/deeper"));
});

async function values(...words: string[]): Promise<string[]> {
  return (await completeWords(TABLE, words)).map(({ value }) => value);
}

test("verbs, groups and what a group holds, with their summaries", async () => {
  assert.deepEqual(await completeWords(TABLE, ["im"]), [
    { value: "image", description: "Work with OCI images in a composefs repository" },
  ]);
  assert.deepEqual(await values("image", "pu"), ["pull", "push"]);
  assert.deepEqual(await values("seal", "att"), ["attach"]);
  assert.deepEqual(await values("no-such-verb", ""), []);
});

test("options of the verb, values of an option that has choices, nothing where a file name belongs", async () => {
  assert.deepEqual(await values("image", "pull", "--req"), ["--require-verity"]);
  assert.deepEqual(await values("seal", "--initramfs", ""), ["minimal", "extend"]);
  assert.deepEqual(await values("seal", "--loader", ""), []);
  assert.deepEqual(await values("vm", "run", ""), []);
});

test("images of the repository that the words name: tags as they are typed, and ids", async () => {
  const repo = join(work.path, "repo");
  assert.deepEqual(await values("image", "inspect", "--repo", repo, "quay"), ["quay.io/os:1"]);
  assert.deepEqual(await values("repo", "extract", `--repo=${repo}`, "ab"), ["ab".repeat(64)]);
  assert.deepEqual(await values("image", "inspect", "--repo", join(work.path, "none"), ""), []);
});

test("references: transports, and paths after those that lead into the file system", async () => {
  assert.deepEqual(await values("image", "pull", "oci"), ["oci:", "oci-archive:"]);
  const layouts = join(work.path, "layouts");
  assert.deepEqual(await values("image", "pull", `oci:${layouts}/deb`), [`oci:${layouts}/debian/`]);
  assert.deepEqual(await values("image", "copy", "dir:x", `oci:${layouts}/`), [
    `oci:${layouts}/debian/`,
    `oci:${layouts}/deeper/`,
  ]);
});

/** In a shell the command is found on the PATH, and starts as a checkout starts it. */
function shellEnvironment() {
  const bin = join(work.path, "bin");
  mkdirSync(bin, { recursive: true });
  const main = join(CHECKOUT, "src/cli/main.ts");
  writeFileSync(join(bin, "sealroot"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, { mode: 0o755 });
  return { PATH: `${bin}:${process.env.PATH}`, HOME: work.path, TERM: "dumb" };
}

/** What bash would put into COMPREPLY for a line. */
async function inBash(line: string): Promise<string[]> {
  const script = `source <(sealroot completion bash)
COMP_LINE=$1 COMP_POINT=\${#1}
compopt() { :; }
_sealroot
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await runTool("bash", ["-c", script, "bash", line], { env: shellEnvironment() });
  return stdout.toString().trim().split("\n");
}

test("in bash, also after a colon, at which bash ends a word", async () => {
  assert.deepEqual(await inBash("sealroot image pu"), ["pull", "push"]);
  const layouts = join(work.path, "layouts");
  assert.deepEqual(await inBash(`sealroot image pull oci:${layouts}/deb`), [`${layouts}/debian/`]);
  assert.deepEqual(await inBash(`sealroot image inspect --repo ${work.path}/repo quay.io/os:`), ["1"]);
});

test("in fish, with descriptions", async () => {
  const script = `sealroot completion fish | source; complete -C "sealroot image pu"`;
  const { stdout } = await runTool("fish", ["--no-config", "-c", script], { env: shellEnvironment() });
  assert.deepEqual(stdout.toString().trim().split("\n"), [
    "pull\tPull an OCI image into a repository",
    "push\tWrite an image of a repository somewhere else",
  ]);
});

test("in zsh, as typed in a terminal", async () => {
  const script = `zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -d ${work.path}/dump; source <(sealroot completion zsh); print rea""dy'
zpty -r -m shell line '*ready*'
zpty -w -n shell $'sealroot image pul\\t\\x01print -r -- \\x05; print en""d\\n'
zpty -r -m shell line '*end*'
print -r -- "$line"`;
  const { stdout } = await runTool("zsh", ["-f", "-c", script], { env: shellEnvironment(), timeoutMs: 120_000 });
  assert.match(stdout.toString(), /^sealroot image pull\r?$/m);
});
