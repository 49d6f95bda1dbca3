import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { formatSize } from "../../../src/bytes/index.ts";
import { main } from "../../../src/cli/main.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { type MadeImage, makeImage, pulledInto, tool } from "./images.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let image: MadeImage;
let repo: string;
const at = (name: string) => join(scratch.path, name);
before(async () => {
  scratch = await scratchDirectory();
  image = await makeImage(at("source"), { contents: ["one", "two", "one"] });
  repo = at("repository");
  (await pulledInto(repo, image)).close();
});
after(() => scratch.remove());

/** Runs one command line in this process. */
async function run(...words: string[]) {
  const out: string[] = [];
  const remarks: string[] = [];
  const exit = await main([...words], {
    line: (text) => out.push(`${text}\n`),
    bytes: async (chunk) => void out.push(Buffer.from(chunk).toString("utf8")),
    json: (value) => out.push(JSON.stringify(value)),
    remark: (text) => remarks.push(text),
  });
  return { exit, out: out.join(""), remarks };
}

test("image push writes, reports and leaves the digest in a file", async () => {
  const target = `oci-archive:${at("pushed.tar")}:v1`;
  const pushed = await run("image", "push", "--repo", repo, "--digestfile", at("digest"), "image", target);
  assert.deepEqual([pushed.exit, pushed.remarks], [0, []]);
  const bytes = image.manifest.layers.slice(0, 2).reduce((sum, layer) => sum + layer.size, 0);
  const sizes = `2 written (${formatSize(bytes)}) + 1 already present`;
  assert.equal(pushed.out, `manifest ${image.descriptor.digest}\nwritten  ${target}\nlayers   ${sizes}\n`);
  assert.equal(await readFile(at("digest"), "utf8"), image.descriptor.digest);
});

test("image push --json says what became of each layer", async () => {
  const words = ["image", "push", "--repo", repo, "--json", "--compression", "zstd", "image"];
  const first = JSON.parse((await run(...words, `oci:${at("json")}:v1`)).out);
  const again = JSON.parse((await run(...words, `oci:${at("json")}:v1`)).out);
  assert.equal(first.manifestDigest, again.manifestDigest);
  assert.equal(first.sourceManifestDigest, image.descriptor.digest);
  assert.equal(first.reference, `oci:${at("json")}:v1`);
  assert.equal(first.layers.length, 3);
  for (const [index, layer] of first.layers.entries()) {
    assert.equal(layer.mediaType, "application/vnd.oci.image.layer.v1.tar+zstd");
    assert.equal(layer.sentBytes, index === 2 ? 0 : layer.sizeBytes);
  }
  const kept = await run("image", "push", "--repo", repo, "--json", "image", `oci:${at("source")}:again`);
  assert.deepEqual(
    JSON.parse(kept.out).layers.map((layer: { sentBytes: number }) => layer.sentBytes),
    [0, 0, 0],
  );
});

test("image copy copies one image or all, and says the digest", async () => {
  const source = `oci:${at("source")}:v1`;
  for (const options of [[], ["--all"], ["--platform", "linux/arm64"]]) {
    const copied = await run("image", "copy", ...options, source, `dir:${at("copied")}`);
    assert.equal(copied.exit, 0, copied.remarks.join("\n"));
    assert.match(copied.out, new RegExp(`^manifest ${image.descriptor.digest}\nwritten  dir:${at("copied")}\n`));
  }
});

test("wrong words are told as such", async () => {
  const source = `oci:${at("source")}:v1`;
  const cases: [string[], number, string[]][] = [
    [
      ["copy", "--all", "--compression", "zstd", source, `dir:${at("x")}`],
      2,
      ["--all and --compression exclude each other", "run: sealroot image copy --help"],
    ],
    [
      ["copy", "--creds", "a:b", "docker://one.example/a", "docker://two.example/a"],
      2,
      [
        "Cannot log in: --creds would go to one.example and two.example",
        "log in to both with podman login or skopeo login, and leave out --creds",
      ],
    ],
    [
      ["copy", "--platform", "arm64", source, `dir:${at("x")}`],
      2,
      ['Cannot read platform: "arm64" is not OS/ARCHITECTURE', "write it as linux/amd64, or linux/arm/v7"],
    ],
    [
      ["push", "--repo", repo, "image", `docker-archive:${at("x")}`],
      1,
      [
        `Cannot write image docker-archive:${at("x")}: transport docker-archive: is only read`,
        "write oci-archive:FILE; podman and docker load it too",
      ],
    ],
    [
      ["copy-to-storage", "--repo", repo],
      2,
      ["Cannot copy the image: name it once, as argument or with --source", "sealroot image list shows the names"],
    ],
  ];
  for (const [words, exit, [message, hint]] of cases) {
    const result = await run("image", ...words);
    assert.deepEqual([result.exit, result.remarks], [exit, [`sealroot: ${message}`, `  ${hint}`]]);
  }
});

/** A store of podman's that needs nothing of the kernel, and that nobody else has. */
function ownStore() {
  const [root, runRoot] = [at("store"), at("store-run")];
  return {
    reference: (name: string) => `[vfs@${root}+${runRoot}]${name}`,
    podman: (...args: string[]) =>
      tool("podman", "--root", root, "--runroot", runRoot, "--storage-driver", "vfs", ...args),
  };
}

test("image copy-to-storage hands the image to podman, which gives back the same layers", async () => {
  const store = ownStore();
  const copy = await run(
    "image",
    "copy-to-storage",
    "--repo",
    repo,
    "--target",
    store.reference("localhost/x:y"),
    "image",
  );
  assert.equal(copy.exit, 0, copy.remarks.join("\n"));
  assert.equal(copy.out, `Copied to containers-storage:${store.reference("localhost/x:y")}\n`);
  const [listed] = JSON.parse(store.podman("image", "inspect", "localhost/x:y"));
  assert.equal(`sha256:${listed.Id}`, image.manifest.config.digest);
  assert.deepEqual(listed.RootFS.Layers, image.config.rootfs.diff_ids);
  // A store gives layers as they are kept, uncompressed.
  tool("skopeo", "copy", "-q", `containers-storage:${store.reference("localhost/x:y")}`, `dir:${at("given-back")}`);
  const names = await readdir(at("given-back"));
  for (const diffId of image.config.rootfs.diff_ids) assert.ok(names.includes(diffId.slice("sha256:".length)), diffId);
  const bySource = await run(
    "image",
    "copy-to-storage",
    "--repo",
    repo,
    "--json",
    "--source",
    "image",
    "--target",
    store.reference("localhost/bootc"),
  );
  assert.deepEqual(JSON.parse(bySource.out), {
    reference: `containers-storage:${store.reference("localhost/bootc")}`,
    configDigest: image.manifest.config.digest,
  });
});
