/** `seal --erofs-version`: whole command lines, and the images that they name, made of the sealed image's layers. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { readSealedUki } from "../../src/seal/index.ts";
import { run } from "../cli/run-verb.ts";
import { sealableImage } from "./sealable-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-sealed-forms-"));
const repository = join(scratch, "repository");
let plain: string;
before(async () => {
  plain = await sealableImage(scratch);
  await succeed("repo", "init", "--insecure", repository);
});
after(() => rmSync(scratch, { recursive: true }));

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, err);
  return out;
}

/** Seals, and reads back what the UKI and the layers say. */
async function sealed(name: string, ...words: string[]) {
  const reference = `oci:${join(scratch, name)}:sealed`;
  const report = JSON.parse(await succeed("seal", plain, "-o", reference, "--unsigned", "--json", ...words));
  const image = await openImage(parseReference(reference));
  const { commandLine } = readUki(await readSealedUki(image));
  await image.close();
  await succeed("image", "pull", "--insecure-policy", "--repo", repository, reference, name);
  const computeId = async (version: string, times: string) => {
    const which = ["--repo", repository, "--erofs-version", version, "--bootable", "--boot-times", times];
    return (await succeed("image", "compute-id", ...which, name)).trim();
  };
  const ids = {
    v1: await computeId("1", "full"),
    v2: await computeId("2", "full"),
    old: await computeId("1", "seconds"),
  };
  return { report, commandLine, ids };
}

test("seal names one image, or those that --erofs-version asks for, in bootc's forms", async () => {
  const bare = await sealed("bare");
  const { v1, v2 } = bare.ids;
  assert.equal(bare.commandLine, `composefs=${v1} rw`);
  assert.deepEqual([bare.report.imageId, bare.report.images], [v1, [{ id: v1, version: 1 }]]);
  const both = await sealed("both", "--erofs-version", "v1", "--karg", "quiet");
  assert.equal(both.commandLine, `composefs.digest=v1-sha512-12:${v1} composefs=${v2} rw quiet`);
  assert.equal(both.report.imageId, v1);
  assert.deepEqual(both.report.images, [
    { id: v1, version: 1 },
    { id: v2, version: 2 },
  ]);
  const second = await sealed("second", "--erofs-version", "v2");
  assert.equal(second.commandLine, `composefs=${v2} rw`);
  assert.deepEqual([second.report.imageId, second.report.images], [v2, [{ id: v2, version: 2 }]]);
  const first = await sealed("first", "--erofs-version", "v1-only", "--allow-missing-verity");
  assert.equal(first.commandLine, `composefs.digest=?v1-sha512-12:${v1} rw`);
  const optional = await sealed("optional", "--erofs-version", "v1", "--allow-missing-verity");
  assert.equal(optional.commandLine, `composefs.digest=?v1-sha512-12:${v1} composefs=?${v2} rw`);
  for (const { ids } of [bare, both, second, first, optional]) assert.deepEqual(ids, { v1, v2, old: v1 });
});

test("what seal says for people names the fallback", async () => {
  const reference = `oci:${join(scratch, "lines")}:sealed`;
  const out = await succeed("seal", plain, "-o", reference, "--unsigned", "--erofs-version", "v1");
  assert.match(out, /^composefs +[0-9a-f]{128}\nfallback \(v2\) +[0-9a-f]{128}$/m);
});

test("the sealed image has neither the kernel nor what belongs to it", async () => {
  await sealed("companions");
  const list = await succeed("repo", "dump-files", "--repo", repository, "companions", "/usr/lib/modules");
  const kernelFiles = /^\/usr\/lib\/modules\/\S+\/\.?vmlinuz\S* /gm;
  assert.doesNotMatch(list, kernelFiles);
  await succeed("image", "pull", "--insecure-policy", "--repo", repository, plain, "plain");
  const before = await succeed("repo", "dump-files", "--repo", repository, "plain", "/usr/lib/modules");
  assert.equal(before.match(kernelFiles)?.length, 2);
});

test("an unknown --erofs-version is a usage error", async () => {
  const { exitCode, err } = await run("seal", plain, "-o", `oci:${scratch}/x`, "--unsigned", "--erofs-version", "1");
  assert.equal(exitCode, 2);
  assert.match(err, /--erofs-version/);
});
