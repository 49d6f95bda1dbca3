import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type ErofsForm, writeErofs } from "../../src/erofs/index.ts";
import { type DumpDialect, parseDump } from "../../src/tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../../src/verity/index.ts";
import { GOLDEN, GOLDEN_ROOT } from "./golden.ts";
import { listVectors, readVector } from "./vectors.ts";

const COLUMNS: Record<string, { form: ErofsForm; dialect: DumpDialect }> = {
  "c-default": { form: "c-default", dialect: "c" },
  "c-v0": { form: "v0", dialect: "c" },
  "c-v1": { form: "v1", dialect: "c" },
  "rs-v0": { form: "v0", dialect: "rs" },
  "rs-v1": { form: "v1", dialect: "rs" },
  "rs-v2": { form: "v2", dialect: "rs" },
};

function digestOf(dump: Uint8Array, column: string, algorithm: VerityAlgorithm = "sha256"): string {
  const { form, dialect } = COLUMNS[column] ?? assert.fail(`unknown column ${column}`);
  return verityDigest(writeErofs(parseDump(dump, { dialect }), { form, dialect, algorithm }), algorithm);
}

for (const vector of listVectors()) {
  for (const [column, expected] of Object.entries(vector.results)) {
    test(`writeErofs() gives the bytes of ${vector.name}, ${column}`, () => {
      const { form, dialect } = COLUMNS[column] ?? assert.fail(`unknown column ${column}`);
      const dump = readVector(vector.input);
      if (expected.image_sha256 === undefined) {
        assert.throws(() => parseDump(dump, { dialect }), { code: "corrupt" });
        return;
      }
      const algorithm = expected.fsverity_sha256 === undefined ? "sha512" : "sha256";
      const image = writeErofs(parseDump(dump, { dialect }), { form, dialect, algorithm });
      assert.equal(image.length, expected.size);
      if (expected.image !== undefined) assertSameBytes(image, readVector(expected.image));
      assert.equal(hash("sha256", image), expected.image_sha256);
      if (expected.fsverity_sha256) assert.equal(verityDigest(image, "sha256"), expected.fsverity_sha256);
    });
  }
}

function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  if (at === -1) return;
  const hex = (bytes: Uint8Array) => Buffer.from(bytes.subarray(at & ~15, (at & ~15) + 64)).toString("hex");
  assert.equal(hex(actual), hex(expected), `first difference at offset 0x${at.toString(16)}`);
}

for (const { what, lines, cDefault, v1, v2 } of GOLDEN) {
  test(`writeErofs() gives the golden values of "${what}"`, () => {
    const dump = Buffer.from(`${[GOLDEN_ROOT, ...lines].join("\n")}\n`);
    assert.equal(digestOf(dump, "c-default"), cDefault);
    assert.equal(digestOf(dump, "c-v1"), v1);
    assert.equal(digestOf(dump, "rs-v1"), v1);
    assert.equal(digestOf(dump, "rs-v2"), v2);
  });
}

const REPOSITORY_VECTORS = new URL("../vectors/repo/", import.meta.url);

for (const name of readdirSync(REPOSITORY_VECTORS)
  .filter((each) => /^(0\d|10|12|13)-/.test(each))
  .sort()) {
  test(`writeErofs() gives the image ids of repository vector ${name} from its dumps`, () => {
    const { runs } = JSON.parse(readFileSync(new URL(`${name}/expected.json`, REPOSITORY_VECTORS), "utf8"));
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const [variant, key] of [
        ["", "image_id"],
        ["boot-", "boot_image_id"],
      ] as const) {
        const dumps = readdirSync(new URL(`${name}/`, REPOSITORY_VECTORS));
        const file = `rootfs-${variant}${algorithm}.dump`;
        if (!dumps.includes(file)) continue;
        const dump = readFileSync(new URL(`${name}/${file}`, REPOSITORY_VECTORS));
        const tree = parseDump(dump, { allowNegativeTimes: true });
        for (const form of ["v1", "v2"] as const) {
          const image = writeErofs(tree, { form, algorithm });
          assert.equal(verityDigest(image, algorithm), runs[`${algorithm}-${form}`][key], `${file} ${form}`);
        }
      }
    }
  });
}
