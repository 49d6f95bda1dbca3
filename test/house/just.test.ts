import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { menuText } from "../../scripts/recipes.ts";

const JUST = join(import.meta.dirname, "../../scripts/just.ts");
const bin = mkdtempSync(join(tmpdir(), "sealroot-just-"));
after(() => rmSync(bin, { recursive: true, force: true }));

function just(words: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [JUST, ...words], { encoding: "utf8", env });
  return { status, stdout, stderr };
}

test("no recipe shows the menu", () => {
  assert.deepEqual(just([]), { status: 0, stdout: `${menuText()}\n`, stderr: "" });
});

test("an unknown recipe is refused with the menu and exit code 2", () => {
  const expected = `just: there is no recipe "seal-everything"\n\n${menuText()}\n`;
  assert.deepEqual(just(["seal-everything"]), { status: 2, stdout: "", stderr: expected });
});

test("missing packages are named where they cannot be installed, and the recipe does not begin", () => {
  // A machine where dpkg knows all packages but two, and where there is no apt.
  const script = '#!/bin/sh\nfor name; do case $name in -*|ovmf|mtools) ;; *) echo "$name installed" ;; esac; done\n';
  writeFileSync(join(bin, "dpkg-query"), script, { mode: 0o755 });
  const { status, stdout, stderr } = just(["build-sealed"], { PATH: bin });
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.equal(
    stderr,
    "just: these Debian packages are missing: mtools ovmf\n" +
      "just: install them as root and run this again: apt-get install --yes --no-install-recommends mtools ovmf\n",
  );
});
