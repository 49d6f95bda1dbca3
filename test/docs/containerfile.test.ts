/** docs/containerfile.md, as it is written: build, seal, push, install, boot. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startDockerRegistry } from "../registry/docker-registry.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { PodmanUser } from "./podman-user.ts";

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
const CONTAINERFILE = join(import.meta.dirname, "../../examples/containerfile/Containerfile");
/** What the page builds on. No test reaches the registry that has it, so one like it is made of Debian's packages. */
const BASE = "docker.io/library/debian:13";

test("docs/containerfile.md: the files it shows are the example's", () => {
  const files = [CONTAINERFILE, `${CONTAINERFILE}.sealed`].map((path) => readFileSync(path, "utf8"));
  assert.deepEqual(fencedBlocks(readDocument("containerfile.md"), "Dockerfile"), files);
});

test("README: what it tells to add to a Debian image is in the one that is built and booted", () => {
  const [, words = ""] = /^RUN apt-get update && apt-get install (.+?) +# Debian 13$/m.exec(README) ?? [];
  const names = words.split(" ").filter((word) => !word.startsWith("--"));
  const installed = new Set(readFileSync(CONTAINERFILE, "utf8").split(/\s+/));
  assert.ok(names.length > 0);
  assert.deepEqual(
    names.filter((name) => !installed.has(name)),
    [],
  );
});

test("docs/containerfile.md: from the Containerfile to a disk that boots", async () => {
  const [commands = "", ...others] = fencedBlocks(readDocument("containerfile.md"), "sh containerfile");
  assert.deepEqual(others, []);
  const registry = await startDockerRegistry();
  try {
    using podman = new PodmanUser();
    const directory = podman.user.directory("os");
    copyFileSync(CONTAINERFILE, join(directory, "Containerfile"));
    const base = join(directory, "base.tar");
    // As in Debian's own image, dpkg does not wait for the disk.
    const options = ["--quiet", "--variant=apt", "--dpkgopt=force-unsafe-io"];
    execFileSync("mmdebstrap", [...options, "trixie", base]);
    const imported = podman.run(`podman import --quiet base.tar ${BASE}`, directory);
    assert.equal(imported.exitCode, 0, imported.stderr);

    assert.ok(commands.includes("localhost:5000"));
    const made = podman.run(`set -e\n${commands.replaceAll("localhost:5000", registry.host)}`, directory);
    assert.equal(made.exitCode, 0, made.stdout + made.stderr);
    const sealed = /^composefs +([0-9a-f]{128})$/m.exec(made.stdout)?.[1];
    assert.ok(sealed !== undefined, made.stdout);
    assert.ok(made.stdout.includes(`deployment  ${sealed}`), made.stdout);
    assert.match(made.stdout, new RegExp(`^/ +composefs:${sealed} +overlay +ro,.*verity=require`, "m"));
  } finally {
    await registry.stop();
  }
});
