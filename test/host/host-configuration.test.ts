/** /etc/sealroot/host.toml */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readRetention } from "../../src/host/index.ts";

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), "sealroot-configuration-"));
});
after(() => rmSync(directory, { recursive: true }));

function read(text: string) {
  const path = join(directory, "host.toml");
  writeFileSync(path, text);
  return readRetention(path);
}

test("without the file, and without the table, an update keeps what bootc keeps", () => {
  assert.deepEqual(readRetention(join(directory, "absent.toml")), { keep: 0 });
  for (const text of ["", "[other]\nx = 1\n", "[retention]\n"]) assert.deepEqual(read(text), { keep: 0 });
});

test("keep is how many more stay", () => {
  assert.deepEqual(read("[retention]\nkeep = 2\n"), { keep: 2 });
  assert.deepEqual(read("retention = { keep = 1000 }\n"), { keep: 1000 });
});

test("everything else is refused", () => {
  for (const value of ["-1", "1001", "1.5", '"2"', "true", "[1]"]) {
    assert.throws(() => read(`[retention]\nkeep = ${value}\n`), {
      code: "corrupt",
      message: /: retention\.keep is not a number from 0 to 1000$/,
    });
  }
  assert.throws(() => read("[retention]\nkept = 1\n"), { code: "corrupt", message: /: unknown key retention\.kept$/ });
  assert.throws(() => read("retention = 1\n"), { code: "corrupt", message: /: retention is not a table$/ });
  assert.throws(() => read("[retention\n"), { code: "corrupt", message: /^Cannot parse / });
});
