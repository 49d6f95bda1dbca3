/** docs/containerfile.md, "Sealing inside the build": what it tells to type builds, and has the digest that seal gives. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeProgramFolder } from "../../scripts/package/program-folder.ts";
import { makeToolImage } from "../../scripts/package/tool-image.ts";
import { openImage } from "../../src/images/index.ts";
import { OciLayout, parseReference } from "../../src/oci/index.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { PodmanUser } from "./podman-user.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/containerfile");
const BASE = "docker.io/library/debian:13";
const IMAGES = /composefs\.digest=v1-sha512-12:([0-9a-f]{128}) composefs=([0-9a-f]{128})/;

/** Enters the image of a layout without its last layers under another tag. */
async function withoutUpperLayers(path: string, count: number, tag: string): Promise<void> {
  const image = await openImage(parseReference(`oci:${path}:v1`), { policy: ACCEPT_ANYTHING });
  const { manifest, config } = image;
  await image.close();
  assert.ok(config !== undefined);
  const layout = await OciLayout.open(path);
  const { type, diff_ids: diffIds } = config.rootfs;
  const { history: _, ...rest } = config;
  const lower = { ...rest, rootfs: { type, diff_ids: diffIds.slice(0, -count) } };
  const layers = manifest.layers.slice(0, -count);
  await layout.putManifest({ ...manifest, config: await layout.putConfig(lower), layers }, { tag });
}

test("docs/containerfile.md: an image that was sealed inside the build is the one that seal makes", async () => {
  const [commands = "", ...others] = fencedBlocks(readDocument("containerfile.md"), "sh sealed-build");
  assert.deepEqual(others, []);
  const program = mkdtempSync(join(tmpdir(), "sealroot-program-"));
  using podman = new PodmanUser();
  const directory = podman.user.directory("os");
  try {
    await makeProgramFolder(program, "amd64");
    await makeToolImage(program, join(program, "tool"), "amd64", 1_700_000_000);
    podman.user.take(join(program, "tool"), "tool");
  } finally {
    rmSync(program, { recursive: true });
  }
  for (const name of ["Containerfile", "Containerfile.sealed"])
    copyFileSync(join(EXAMPLE, name), join(directory, name));
  // As Debian's own image, with an empty /dev: an ordinary user's store leaves device files out, and they count.
  const base = join(directory, "base.tar");
  const options = ["--quiet", "--variant=apt", "--dpkgopt=force-unsafe-io", "--skip=output/dev"];
  execFileSync("mmdebstrap", [...options, "trixie", base]);
  mkdirSync(join(directory, "empty/dev"), { recursive: true });
  execFileSync("tar", ["--append", "--file", base, "--owner=0", "--group=0", "-C", join(directory, "empty"), "./dev"]);
  const succeed = (script: string) => {
    const { exitCode, stdout, stderr } = podman.run(`set -e\n${script}`, directory);
    assert.equal(exitCode, 0, stdout + stderr);
    return stdout;
  };
  succeed(`podman import --quiet base.tar ${BASE}
    (cd '${podman.user.clone}' && podman pull --quiet oci:tool:latest) # named after the path, localhost/tool
    podman tag localhost/tool localhost/sealroot`);

  const shown = succeed(commands);
  const [, v1 = "", v2 = ""] = IMAGES.exec(shown) ?? [];
  assert.ok(v1 !== "" && v2 !== "", shown);
  assert.match(shown, /^│ {2}sealed {11}yes$/m);
  assert.match(shown, /^ {3}└─ signature 1$/m);

  // The stage before: without the layer that took the kernel out, and the one with the UKI.
  await withoutUpperLayers(join(directory, "os-sealed"), 2, "rootfs");
  const sealed = succeed("sealroot seal oci:os-sealed:rootfs -o oci:by-seal:v1 --unsigned --erofs-version v1");
  assert.deepEqual(IMAGES.exec(sealed)?.slice(1), [v1, v2]);
  // What a machine makes of the layers.
  const pulled = succeed(`sealroot repo init --insecure repository >&2
    sealroot image pull --insecure-policy --repo repository oci:os-sealed:v1 os >&2
    sealroot image compute-id --repo repository --bootable os
    sealroot image compute-id --repo repository --bootable --erofs-version 2 os`);
  assert.deepEqual(pulled.trim().split("\n"), [v1, v2]);
  const linted = succeed(`podman unshare sh -ec 'root=$(podman image mount localhost/os-sealed)
    sealroot container lint --rootfs "$root"'`);
  assert.match(linted, /^Checks passed: \d+$/m);
  assert.doesNotMatch(linted, /Failed lint|seal-/);
});
