import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runTool, temporaryDirectory } from "../../../src/platform/index.ts";
import { directoryTree, imageIdOfTree, initRepository, storeTreeImages } from "../../../src/repository/index.ts";
import { formatDump } from "../../../src/tree/index.ts";

const VECTORS = new URL("../../vectors/repo/", import.meta.url).pathname;

/** Cases whose extraction gives the layers' view (spec/oci.md 5). */
const EXTRACTABLE = ["01-simple", "05-sizes", "06-devices", "08-names", "10-boot-selinux"];

/** Owners, devices and security xattrs can be extracted by root only. */
const skip = process.getuid?.() === 0 ? false : "extracting owners and devices needs root";

interface Expected {
  readonly oci: { readonly layers: readonly { readonly digest: string }[] };
  readonly runs: Readonly<Record<string, { readonly image_id: unknown; readonly boot_image_id?: unknown }>>;
}

async function extractCase(name: string, directory: string): Promise<Expected> {
  const layout = join(directory, "layout.d");
  const root = join(directory, "root");
  mkdirSync(layout);
  mkdirSync(root);
  await runTool("tar", ["-xzf", join(VECTORS, name, "layout.tar.gz"), "-C", layout]);
  const blob = (digest: string) => join(layout, "layout", "blobs", "sha256", digest.replace("sha256:", ""));
  const index = JSON.parse(readFileSync(join(layout, "layout", "index.json"), "utf8"));
  const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), "utf8"));
  for (const layer of manifest.layers) {
    const compression = layer.mediaType.endsWith("+gzip")
      ? ["-z"]
      : layer.mediaType.endsWith("+zstd")
        ? ["--zstd"]
        : [];
    const owners = [
      "--delay-directory-restore",
      "--xattrs",
      "--xattrs-include=*",
      "--numeric-owner",
      "--same-owner",
      "-p",
    ];
    await runTool("tar", ["-x", ...compression, ...owners, "-f", blob(layer.digest), "-C", root]);
  }
  return JSON.parse(readFileSync(join(VECTORS, name, "expected.json"), "utf8"));
}

for (const name of EXTRACTABLE) {
  test(`the extracted directory of ${name} has the ids of its layers`, { skip }, async () => {
    using directory = temporaryDirectory();
    const expected = await extractCase(name, directory.path);
    const root = join(directory.path, "root");
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const version of [1, 2] as const) {
        const run = expected.runs[`${algorithm}-v${version}`];
        const tree = await directoryTree(root, { algorithm });
        assert.equal(imageIdOfTree(tree, algorithm, version), run?.image_id, algorithm);
        if (typeof run?.boot_image_id !== "string") continue;
        const boot = await directoryTree(root, { algorithm, bootable: true });
        assert.equal(imageIdOfTree(boot, algorithm, version), run.boot_image_id);
      }
      const dump = readFileSync(join(VECTORS, name, `rootfs-${algorithm}.dump`), "utf8");
      assert.equal(Buffer.from(formatDump(await directoryTree(root, { algorithm }))).toString(), dump);
    }
  });
}

test("an image of a directory is stored with all its objects and gets its name", async () => {
  using directory = temporaryDirectory();
  const root = join(directory.path, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  for (let number = 0; number < 40; number++) {
    writeFileSync(join(root, "usr", `file-${number}`), Buffer.alloc(number * 30_000 + 1, number));
  }
  using repository = (await initRepository(join(directory.path, "repo"), { protection: "insecure" })).repository;
  const tree = await directoryTree(root, { algorithm: "sha512", repository });
  const id = storeTreeImages(repository, tree, "my/name");
  assert.equal(repository.images.resolve("refs/my/name").objectId, id);
  const withoutStore = await directoryTree(root, { algorithm: "sha512" });
  assert.equal(imageIdOfTree(withoutStore, "sha512", 1), id);
  const usr = tree.entries.get("usr" as never);
  assert.ok(usr?.kind === "directory");
  for (const [name, file] of usr.entries) {
    assert.ok(file.kind === "file");
    if (file.content.type === "inline") continue;
    assert.ok(repository.objects.read(file.content.objectId ?? "").equals(readFileSync(join(root, "usr", name))));
  }
});

test("a directory that is missing, no directory or without /usr is refused", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "absent");
  await assert.rejects(directoryTree(path, { algorithm: "sha256" }), { code: "not-found" });
  writeFileSync(path, "");
  await assert.rejects(directoryTree(path, { algorithm: "sha256" }), {
    code: "usage",
    message: `Cannot read directory ${path}: it is not a directory`,
  });
  await assert.rejects(directoryTree(directory.path, { algorithm: "sha256" }), {
    code: "unsupported",
  });
});
