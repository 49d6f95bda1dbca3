import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { silent } from "../../src/events/index.ts";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { outputName, writtenTo } from "../../src/seal/output.ts";
import { makeImage } from "../images/copy/images.ts";

let scratch: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sealroot-output-test-"));
});
after(() => rm(scratch, { recursive: true }));

const options = () => ({ source: parseReference("docker://quay.io/a/b"), temporaryParent: scratch, events: silent });

test("writtenTo() writes into the layout that is named, under its tag or latest", async () => {
  for (const [text, tag] of [
    [`oci:${scratch}/named:v2`, "v2"],
    [`oci:${scratch}/unnamed`, "latest"],
  ] as const) {
    const reference = parseReference(text);
    const digest = await writtenTo(reference, options(), async (layout) => {
      assert.deepEqual(layout, { ...reference, tag });
      return (await makeImage(layout.path, { tag })).descriptor.digest;
    });
    const image = await openImage(parseReference(outputName(reference)));
    assert.equal(image.descriptor.digest, digest);
    await image.close();
  }
});

test("writtenTo() brings the image anywhere else by way of a layout, of which nothing stays", async () => {
  for (const text of [`oci-archive:${scratch}/image.tar:v1`, `dir:${scratch}/image`]) {
    const reference = parseReference(text);
    let path = "";
    const digest = await writtenTo(reference, options(), async (layout) => {
      path = layout.path;
      return (await makeImage(layout.path, { tag: layout.tag, architecture: "riscv64" })).descriptor.digest;
    });
    assert.equal(outputName(reference), text);
    const image = await openImage(reference);
    assert.equal(image.descriptor.digest, digest);
    await image.close();
    assert.ok(path !== "" && !existsSync(path));
  }
  assert.deepEqual((await readdir(scratch)).sort(), ["image", "image.tar", "named", "unnamed"]);
});

test("writtenTo() refuses what is only read before it does anything, and passes failures on", async () => {
  const never = () => assert.fail("must not be called");
  await assert.rejects(writtenTo(parseReference("docker-archive:x.tar"), options(), never), {
    code: "unsupported",
    message: "Cannot write image docker-archive:x.tar: transport docker-archive: is only read",
  });
  const failing = () => Promise.reject(new Error("broken"));
  await assert.rejects(writtenTo(parseReference(`dir:${scratch}/failed`), options(), failing), { message: "broken" });
  assert.deepEqual((await readdir(scratch)).sort(), ["image", "image.tar", "named", "unnamed"]);
});
