/**
 * The libraries are there in CI (`./just` installs them), and are used: a machine without them would test one of the two paths
 * alone, and say nothing.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "../house/sources.ts";

const MAIN = join(CHECKOUT, "src/cli/main.ts");

function versionLines(primitives: string): { readonly status: number | null; readonly lines: readonly string[] } {
  const env = { ...process.env, SEALROOT_PRIMITIVES: primitives };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "--version", "--verbose"], { env });
  return { status, lines: `${stdout}${stderr}`.trimEnd().split("\n") };
}

test(
  "both libraries are installed, known, tested and used",
  { skip: process.arch !== "x64" && "x86-64 alone has them" },
  () => {
    const { status, lines } = versionLines("auto");
    assert.equal(status, 0);
    assert.match(lines[0] ?? "", /^sealroot \d+\.\d+\.\d+$/);
    assert.equal(lines[1], `node ${process.versions.node}`);
    const flags = readFileSync("/proc/cpuinfo", "utf8");
    if (/ avx2 /.test(flags)) assert.match(lines[2] ?? "", /^fs-verity blocks: libipsec-mb [12]\.\d\.\d, AVX(2|-512)$/);
    else assert.equal(lines[2], "fs-verity blocks: node:crypto (this processor has neither AVX2 nor AVX-512)");
    assert.match(lines[3] ?? "", /^gunzip: libisal 2\.3[01]$/);
    assert.equal(lines.length, 4);
  },
);

test("the environment can do without them", () => {
  const { status, lines } = versionLines("portable");
  assert.equal(status, 0);
  assert.deepEqual(lines.slice(2), [
    "fs-verity blocks: node:crypto (SEALROOT_PRIMITIVES=portable)",
    "gunzip: node:zlib (SEALROOT_PRIMITIVES=portable)",
  ]);
});

test("an environment that says something else is refused", () => {
  const { status, lines } = versionLines("fast");
  assert.equal(status, 1);
  assert.match(lines.join("\n"), /Cannot use SEALROOT_PRIMITIVES=fast: it is none of auto, portable, native/);
});
