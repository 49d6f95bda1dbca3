/** Archives of one tree, whoever wrote them: one image. test/vectors/tar/README.md says what the tree is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { unmountBelow } from "../images/podman/stores.ts";
import { pulledIds, skopeoCopy } from "./containers.ts";
import { imageOfTars } from "./hand-made.ts";
import { scratchDirectory } from "./vectors.ts";

/** The images of the whole tree and of what the oldest form can hold of it, SHA-256, version 1; cfsctl 0.9.4 gives the first. */
const WHOLE = "6646624f51af5cef156318e41fed930861548a26a62c0e1f8bff084c9a9c0516";
const PLAIN = "7eca20fc0ff96716aa28822c7f606854a1de952fa885e66219b5b93eb71d556f";

const LONG = `usr/${"d".repeat(90)}/${"f".repeat(90)}`;
/** What a header of the seventh edition has no room for: long names, and devices and fifos. */
const NOT_PLAIN = [LONG, dirname(LONG), "usr/pipe", "usr/tty"];

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
const at = (...names: string[]) => join(scratch.path, ...names);
before(async () => {
  assert.equal(process.getuid?.(), 0, "devices and owners are made by root: run these tests as root");
  scratch = await scratchDirectory();
  makeTree(at("tree"));
  makeTree(at("plain-tree"));
  for (const path of NOT_PLAIN) rmSync(at("plain-tree", path), { recursive: true, force: true });
  // Removing changed the directory.
  execFileSync("touch", ["--date=@1000000000", at("plain-tree", "usr")]);
});
after(() => {
  unmountBelow(scratch.path);
  return scratch.remove();
});

function makeTree(root: string): void {
  const file = (path: string, mode: number, content: string) => {
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), mode);
  };
  for (const path of ["usr/bin", dirname(LONG)]) {
    mkdirSync(join(root, path), { recursive: true });
    chmodSync(join(root, path), 0o755);
  }
  chmodSync(join(root, "usr"), 0o755);
  file("usr/bin/large", 0o755, "large\n".repeat(1000));
  file("usr/bin/small", 0o4711, "small\n");
  file("usr/empty", 0o600, "");
  linkSync(join(root, "usr/bin/large"), join(root, "usr/hard"));
  file("usr/owned", 0o640, "owned by somebody\n");
  chownSync(join(root, "usr/owned"), 1000, 100);
  symlinkSync("bin/small", join(root, "usr/soft"));
  execFileSync("mknod", ["--mode=644", join(root, "usr/pipe"), "p"]);
  execFileSync("mknod", ["--mode=620", join(root, "usr/tty"), "c", "5", "1"]);
  file(LONG, 0o644, "a long name\n");
  execFileSync("find", [root, "-exec", "touch", "--no-dereference", "--date=@1000000000", "{}", "+"]);
}

let layouts = 0;

/** The one image id of an archive's image. */
async function idOf(tar: Uint8Array): Promise<string> {
  return idAt(imageOfTars(at(`layout-${++layouts}`), [tar]));
}

async function idAt(reference: string): Promise<string> {
  const { imageIds } = await pulledIds(scratch.path, reference);
  assert.equal(imageIds.length, 1);
  return imageIds[0] ?? "";
}

function packed(tool: "tar" | "bsdtar", form: string, tree: string): Buffer {
  const path = at(`${tool}-${form}.tar`);
  execFileSync(tool, ["-c", "-f", path, `--format=${form}`, "-C", at(tree), "usr"]);
  return readFileSync(path);
}

for (const form of ["gnu", "oldgnu", "pax", "ustar"]) {
  test(`GNU tar, ${form}`, async () => {
    assert.equal(await idOf(packed("tar", form, "tree")), WHOLE);
  });
}

for (const form of ["gnutar", "pax", "paxr", "ustar"]) {
  test(`bsdtar, ${form}`, async () => {
    assert.equal(await idOf(packed("bsdtar", form, "tree")), WHOLE);
  });
}

test("the form of the seventh edition, of GNU tar and bsdtar", async () => {
  assert.equal(await idOf(packed("tar", "v7", "plain-tree")), PLAIN);
  assert.equal(await idOf(packed("bsdtar", "v7tar", "plain-tree")), PLAIN);
  // The same tree in a form of today's.
  assert.equal(await idOf(packed("tar", "ustar", "plain-tree")), PLAIN);
});

const STORED = new URL("../vectors/tar/", import.meta.url).pathname;
for (const name of readdirSync(STORED).filter((file) => file.endsWith(".tar.gz"))) {
  test(`${name.replace(".tar.gz", "")}, stored`, async () => {
    assert.equal(await idOf(gunzipSync(readFileSync(join(STORED, name)))), WHOLE);
  });
}

test("buildah's layer, in all the forms in which buildah, podman and skopeo hand it out", async () => {
  const store = ["--root", at("store"), "--runroot", at("store-run"), "--storage-driver", "vfs"];
  const env = { ...process.env, TMPDIR: scratch.path };
  const run = (tool: string, ...words: string[]) =>
    execFileSync(tool, [...store, ...words], { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] }).trim();
  const container = run("buildah", "from", "scratch");
  // Unpacked into the container itself: buildah copy would give the directories times of its own.
  execFileSync("tar", ["-x", "-f", "-", "-C", run("buildah", "mount", container)], {
    input: packed("tar", "gnu", "tree"),
  });
  run("buildah", "umount", container);
  run("buildah", "commit", "--quiet", container, "tree");
  run("buildah", "push", "--quiet", "tree", `oci:${at("buildah-oci")}:t`);
  run("buildah", "push", "--quiet", "--format", "v2s2", "tree", `dir:${at("buildah-dir")}`);
  run("podman", "save", "--quiet", "--format", "docker-archive", "--output", at("podman.tar"), "localhost/tree");
  skopeoCopy(
    `oci:${at("buildah-oci")}:t`,
    `oci-archive:${at("skopeo-zstd.tar")}:t`,
    "--dest-compress-format",
    "zstd",
    "--dest-compress",
  );
  skopeoCopy(`oci:${at("buildah-oci")}:t`, `dir:${at("skopeo-plain")}`, "--dest-decompress");
  for (const reference of [
    `oci:${at("buildah-oci")}:t`,
    `dir:${at("buildah-dir")}`,
    `docker-archive:${at("podman.tar")}`,
    `oci-archive:${at("skopeo-zstd.tar")}:t`,
    `dir:${at("skopeo-plain")}`,
  ]) {
    assert.equal(await idAt(reference), WHOLE, reference);
  }
});
