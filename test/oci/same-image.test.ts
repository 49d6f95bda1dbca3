import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { isSameImage, parseReference } from "../../src/oci/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const same = (one: string, other: string) => isSameImage(parseReference(one), parseReference(other));

test("one image is one, however it is spelled; another tag, place or transport is another", () => {
  const layout = join(scratch.path, "layout");
  mkdirSync(layout);
  symlinkSync(layout, join(scratch.path, "link"));
  for (const path of [
    `${layout}/`,
    `${scratch.path}/./layout`,
    `${scratch.path}/link`,
    relative(process.cwd(), layout),
  ]) {
    assert.ok(same(`oci:${layout}:t`, `oci:${path}:t`), path);
    assert.ok(!same(`oci:${layout}:t`, `oci:${path}:u`), path);
  }
  assert.ok(!same(`oci:${layout}:t`, `oci-archive:${layout}:t`));
  assert.ok(same("oci:/absent/./x:t", "oci:/absent/x:t"));
  assert.ok(same("docker://quay.io/a:1", "docker://QUAY.io:443/a:1"));
  assert.ok(!same("docker://quay.io/a:1", "docker://quay.io/a:2"));
  assert.ok(!same("docker://quay.io/a:1", "docker://quay.io:5000/a:1"));
});
