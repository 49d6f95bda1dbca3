/** The helper that makes images for upgrades: what it says it puts into an image is in it, and nothing else. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";
import { type SealedExample, sealedExample } from "./sealed-example.ts";
import { VARIANT_FILE, type VariantOptions, variantImage } from "./variant-image.ts";

const OPTIONS: VariantOptions = {
  name: "two",
  version: "2",
  labels: { "example.label": "yes" },
  remove: ["usr/share/common-licenses", "etc/issue"],
  files: {
    "etc/issue.net": "changed\n",
    "usr/lib/new/deep/tool": { body: "#!/bin/sh\n", mode: 0o755 },
    "usr/lib/new/link": { linkTo: "deep/tool" },
    "usr/share/common-licenses": { directory: 0o700 },
  },
  sealWords: ["--karg", "example.two"],
};

describe("a variant of the example", () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "variant" });
  });
  after(() => directory?.remove());

  const succeed = async (...words: string[]) => {
    const { exitCode, out, err } = await run(...words);
    assert.equal(exitCode, 0, err);
    return out;
  };

  test("has the files, links, directories, version, labels and kernel arguments it was made with", async () => {
    const variant = await variantImage(example, directory.path, OPTIONS);
    assert.notEqual(variant.deploymentId, example.deploymentId);
    assert.match(variant.commandLine, new RegExp(`composefs=${variant.deploymentId}.* example\\.two$`));
    const repository = join(directory.path, "repository");
    await succeed("repo", "init", "--insecure", repository);
    await succeed("image", "pull", "--insecure-policy", "--repo", repository, variant.reference, "two");
    const inspect = async (flag: string) =>
      JSON.parse(await succeed("image", "inspect", flag, "--repo", repository, "two"));
    assert.equal((await inspect("--manifest")).annotations["org.opencontainers.image.version"], "2");
    const { Labels: labels } = (await inspect("--config")).config;
    assert.equal(labels["org.opencontainers.image.version"], "2");
    assert.equal(labels["example.label"], "yes");
    const root = join(directory.path, "root");
    await succeed("repo", "extract", "--no-same-owner", "--repo", repository, "two", root);
    const read = (path: string) => readFileSync(join(root, path), "utf8");
    assert.equal(read("etc/issue.net"), "changed\n");
    assert.equal(read(VARIANT_FILE), "two\n");
    assert.equal(read("usr/lib/new/link"), "#!/bin/sh\n");
    assert.equal(statSync(join(root, "usr/lib/new/deep/tool")).mode & 0o7777, 0o755);
    assert.equal(statSync(join(root, "usr/lib/new/deep")).mode & 0o7777, 0o755);
    assert.equal(existsSync(join(root, "etc/issue")), false);
    assert.deepEqual(readdirSync(join(root, "usr/share/common-licenses")), []);
    assert.equal(statSync(join(root, "usr/share/common-licenses")).mode & 0o7777, 0o700);
  });

  test("is the same to the byte when made again, and another under another name", async () => {
    const [again, other] = ["again", "other"].map((name) => join(directory.path, name)) as [string, string];
    for (const path of [again, other]) mkdirSync(path);
    const first = await variantImage(example, again, { name: "two" });
    assert.equal((await variantImage(example, other, { name: "two" })).manifestDigest, first.manifestDigest);
    const unsealed = await variantImage(example, other, { name: "three", sealed: false });
    assert.deepEqual([unsealed.deploymentId, unsealed.commandLine], ["", ""]);
    assert.equal((await run("image", "copy", "--insecure-policy", unsealed.reference, `oci:${other}/copy:c`)).err, "");
    assert.notEqual((await variantImage(example, again, { name: "three" })).deploymentId, first.deploymentId);
  });
});
