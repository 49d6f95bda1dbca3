import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { imageHistory } from "../../src/imagestore/index.ts";
import { readVectors, scratchDirectory, unpack } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

/** Runs one command line in this process. */
async function run(...words: string[]) {
  const out: string[] = [];
  const remarks: string[] = [];
  const exit = await main(words, {
    line: (text) => out.push(`${text}\n`),
    bytes: async (chunk) => void out.push(Buffer.from(chunk).toString("utf8")),
    json: (value) => out.push(JSON.stringify(value)),
    remark: (text) => remarks.push(text),
  });
  return { exit, out: out.join(""), remarks };
}

async function pulled(name: string, ...options: string[]) {
  const vector = (await readVectors()).find((candidate) => candidate.name === name);
  assert.ok(vector);
  const layout = await unpack(join(vector.directory, "layout.tar.gz"), join(scratch.path, name), "layout");
  const repo = join(scratch.path, `${name}-repository`);
  const init = await run("repo", "init", "--insecure", "--algorithm", "fsverity-sha512-12", repo);
  assert.equal(init.exit, 0, init.remarks.join("\n"));
  const pull = await run("image", "pull", "--repo", repo, ...options, `oci:${layout}:t`, "case:t");
  return { vector, repo, layout, pull };
}

/** What the reference calls `verity` is the stored manifest, which compression makes another object. */
const lines = (text: readonly string[] | undefined) =>
  (text ?? []).filter((line) => !/^(?:verity|stored) {3}[0-9a-f]{128}$/.test(line));

test("image pull prints the reference's lines, and list and inspect its JSON", async () => {
  for (const name of ["01-simple", "02-whiteouts", "11-artifact"]) {
    const { vector, repo, pull } = await pulled(name);
    const expected = vector.expected.runs["sha512-v1"];
    assert.equal(pull.exit, 0, pull.remarks.join("\n"));
    assert.deepEqual(lines(pull.out.trimEnd().split("\n")), lines(expected?.pull.stdout));
    const list = await run("image", "list", "--repo", repo, "--json");
    assert.deepEqual(JSON.parse(list.out), expected?.oci_images);
    const inspect = JSON.parse((await run("image", "inspect", "--repo", repo, "case:t")).out);
    assert.equal(inspect.composefs_erofs, expected?.image_id ?? null);
    assert.deepEqual([inspect.referrers, inspect.composefs_boot_erofs], [[], null]);
    const manifest = await run("image", "inspect", "--repo", repo, "--manifest", "case:t");
    assert.equal(manifest.out, `${inspect.manifest}\n`);
  }
});

test("image compute-id prints the id alone, also of the boot variant and with user xattrs", async () => {
  const { vector, repo, pull } = await pulled("10-boot-selinux", "--bootable");
  const expected = vector.expected.runs["sha512-v1"];
  assert.match(pull.out, new RegExp(`^Boot image: ${expected?.boot_image_id}$`, "m"));
  const id = async (...options: string[]) =>
    (await run("image", "compute-id", "--repo", repo, ...options, "case:t")).out;
  assert.equal(await id(), `${expected?.image_id}\n`);
  assert.equal(await id("--bootable"), `${expected?.boot_image_id}\n`);
  assert.equal(await id("--xattrs", "keep-user-xattrs"), `${expected?.image_id_keep_user_xattrs}\n`);
});

test("repo cat gives the layer back, and fsck finds nothing to complain about", async () => {
  const { vector, repo } = await pulled("03-hardlinks-xattrs");
  const [diffId] = vector.expected.oci.diff_ids;
  const cat = await run("repo", "cat", "--repo", repo, `oci-layer-${diffId}`);
  assert.equal(cat.exit, 0);
  const fsck = await run("repo", "fsck", "--repo", repo);
  assert.equal(fsck.exit, 0, fsck.out);
  assert.match(fsck.out, /status: ok/);
});

test("tags come and go", async () => {
  const { vector, repo } = await pulled("13-single-member");
  const tagged = await run("image", "tag", "--repo", repo, vector.expected.oci.manifest, "other/name");
  assert.equal(tagged.out, `Tagged ${vector.expected.oci.manifest} as other/name\n`);
  assert.equal((await run("image", "untag", "--repo", repo, "case:t")).out, "Removed tag case:t\n");
  const names = JSON.parse((await run("image", "list", "--repo", repo, "--json")).out).images;
  assert.deepEqual(
    names.map((image: { name: string }) => image.name),
    ["other/name"],
  );
  const again = await run("image", "untag", "--repo", repo, "case:t");
  const remarks = [
    'sealroot: Cannot remove the tag "case:t": OCI reference not found',
    `  where:    ${repo}`,
    "  the images there are: other/name",
  ];
  assert.deepEqual([again.exit, again.remarks], [1, remarks]);
  const byTag = await run("image", "tag", "--repo", repo, "--json", "other/name", "third");
  assert.deepEqual(JSON.parse(byTag.out), { name: "third", manifestDigest: vector.expected.oci.manifest });
  const dangling = await run("image", "tag", "--repo", repo, `sha256:${"0".repeat(64)}`, "nothing");
  assert.equal(dangling.exit, 1);
});

test("what cannot be pulled is one clear sentence and exit code 1, or 2 for a wrong reference", async () => {
  const { repo, layout } = await pulled("12-negative-mtime");
  const pull = (reference: string) => run("image", "pull", "--repo", repo, reference, "x");
  const cases: [string, number, string, ...string[]][] = [
    [
      `oci:${layout}:nope`,
      1,
      `Cannot open image oci:${layout}:nope: it has no image with the tag "nope"`,
      "during:   read image",
      "the tags there are: t",
    ],
    [
      `oci:${scratch.path}`,
      1,
      `Cannot open OCI layout: ${scratch.path} has no file oci-layout`,
      "during:   read image",
      "give the directory that skopeo, podman or buildah wrote with oci:DIRECTORY",
    ],
    [
      "quay.io/a/b",
      2,
      'Cannot open image "quay.io/a/b": it does not begin with a transport',
      "write docker://quay.io/a/b, or oci:DIRECTORY[:TAG] for a layout",
    ],
  ];
  for (const [reference, exit, message, ...data] of cases) {
    const result = await pull(reference);
    assert.deepEqual(
      [result.exit, result.remarks],
      [exit, [`sealroot: ${message}`, ...data.map((line) => `  ${line}`)]],
    );
  }
});

test("a pull reports on the descriptor of --progress-fd in bootc's shape, and is quiet when told", async () => {
  const { repo, layout } = await pulled("02-whiteouts");
  const path = join(scratch.path, "progress.jsonl");
  const fd = openSync(path, "w");
  const other = join(scratch.path, "progress-repository");
  await run("repo", "init", "--insecure", other);
  const words = ["image", "pull", "--repo", other, `oci:${layout}:t`, "x", "--quiet", "--progress-fd", String(fd)];
  const { exit, remarks } = await run(...words);
  closeSync(fd);
  assert.deepEqual([exit, remarks], [0, []]);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const objects = lines.map((line) => JSON.parse(line));
  assert.deepEqual(objects[0], { type: "Start", version: "0.1.0" });
  const last = objects.filter(({ type }) => type === "ProgressBytes").at(-1);
  const inspect = JSON.parse((await run("image", "inspect", "--repo", repo, "case:t")).out);
  const layers: { digest: string; size: number }[] = JSON.parse(inspect.manifest).layers;
  const totalBytes = layers.reduce((sum, { size }) => sum + size, 0);
  assert.deepEqual(
    [last.task, last.id, last.bytes, last.bytesTotal, last.steps],
    ["pulling", "composefs-pull", totalBytes, totalBytes, layers.length],
  );
  assert.deepEqual(
    last.subtasks.map(({ id, bytes }: { id: string; bytes: number }) => [id, bytes]).sort(),
    layers.map(({ digest, size }) => [digest, size]).sort(),
  );
  const refused = await run("image", "pull", "--repo", other, `oci:${layout}:t`, "x", "--progress-fd", "1");
  assert.equal(refused.exit, 2);
});

test("image list has bootc's --type and --format", async () => {
  const { repo } = await pulled("05-sizes");
  const list = (...words: string[]) => run("image", "list", "--repo", repo, ...words);
  for (const type of ["all", "host"]) {
    const { out } = await list("--type", type, "--format", "json");
    assert.deepEqual(JSON.parse(out), [{ image_type: "host", image: "case:t" }]);
  }
  assert.equal((await list("--format", "table")).out, (await list()).out);
  const logical = await list("--type", "logical");
  assert.deepEqual([logical.exit, logical.out], [1, ""]);
  assert.equal((await list("--type", "ours")).exit, 2);
});

test("image remove takes names away, says which are left, and keeps its hands off deployments", async () => {
  const { vector, repo } = await pulled("08-names");
  const digest = vector.expected.oci.manifest;
  const image = (...words: string[]) => run("image", ...words, "--repo", repo);
  await image("tag", digest, "second");
  const deployed = `localhost/bootc-${digest}`;
  await image("tag", digest, deployed);
  assert.deepEqual(await image("remove", "second"), {
    exit: 0,
    out: "Removed tag second\n",
    remarks: [`${digest}: it still has the tags: case:t, ${deployed}`],
  });
  for (const name of [deployed, `@${digest}`]) {
    const refused = await image("remove", name);
    const message = `sealroot: Cannot remove image "${deployed}": this is the tag of a deployment`;
    assert.deepEqual([refused.exit, refused.remarks[0]], [1, message]);
  }
  const removed = await image("remove", "--force", "--json", `@${digest}`);
  assert.deepEqual(JSON.parse(removed.out), { manifestDigest: digest, removed: ["case:t", deployed], kept: [] });
  assert.equal((await image("remove", "case:t")).exit, 1);
  assert.equal(
    (await image("remove", `@${digest}`)).remarks[0],
    `sealroot: Cannot remove image "@${digest}": it has no tag`,
  );
});

test("image history shows the steps, the last one first, each with its layer", async () => {
  const { vector, repo } = await pulled("02-whiteouts");
  const report = JSON.parse((await run("image", "history", "--repo", repo, "--json", "case:t")).out);
  assert.deepEqual(
    report.history.map(({ diffId }: { diffId: string }) => diffId),
    vector.expected.oci.diff_ids.toReversed(),
  );
  const table = (await run("image", "history", "--repo", repo, "case:t")).out.trimEnd().split("\n");
  assert.match(table[0] ?? "", /^CREATED +SIZE {2}CREATED BY$/);
  assert.equal(table.length, 1 + vector.expected.oci.diff_ids.length);
  const { repo: other } = await pulled("11-artifact");
  assert.equal((await run("image", "history", "--repo", other, "case:t")).exit, 1);
});

test("imageHistory() gives layers to the steps that made one, and to none when the numbers do not agree", () => {
  const layers = [10, 20].map((size) => ({ mediaType: "x", digest: "d", size }));
  const of = (history?: Record<string, unknown>[]) => {
    const rootfs = { type: "layers" as const, diff_ids: ["a", "b"] };
    const config = { architecture: "amd64", os: "linux", rootfs, ...(history === undefined ? {} : { history }) };
    const manifest = { schemaVersion: 2 as const, config: { mediaType: "x", digest: "c", size: 1 }, layers };
    return imageHistory({ config, manifest, manifestDigest: "m" }).map(({ createdBy, layer }) => [
      createdBy,
      layer?.diffId,
    ]);
  };
  const empty = { created_by: "ENV", empty_layer: true };
  assert.deepEqual(of([{ created_by: "ADD" }, empty, { created_by: "RUN" }]), [
    ["ADD", "a"],
    ["ENV", undefined],
    ["RUN", "b"],
  ]);
  assert.deepEqual(of([{ created_by: "ADD" }, empty]), [
    ["ADD", undefined],
    ["ENV", undefined],
  ]);
  assert.deepEqual(of(), [
    [undefined, "a"],
    [undefined, "b"],
  ]);
});
