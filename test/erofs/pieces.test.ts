/** Images that are longer than the part of them that is in memory. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { type ErofsOptions, layOutErofs, readErofs, writeErofs } from "../../src/erofs/index.ts";
import { formatDump, parseDump } from "../../src/tree/index.ts";

const ENTRIES = 20_000;
/** SHA-256 of the images as the writer made them that had them whole in memory. */
const IMAGES: readonly [ErofsOptions & { readonly dialect: "c" | "rs" }, string][] = [
  [
    { form: "c-default", algorithm: "sha256", dialect: "c" },
    "f27fe1b5fdbc75c1c42496b5055029117cb03a8308d113f25e581c0c91342bdd",
  ],
  [
    { form: "v1", algorithm: "sha256", dialect: "rs" },
    "2b0e26f626385d68bb4916c8cc0f83e7337920fdc984a7ca460dd6094a8452c4",
  ],
  [
    { form: "v2", algorithm: "sha256", dialect: "rs" },
    "9d236aa5593f222bb275b1c9d635ef616c079ee87a0e8e2dbeeadbc94df8b168",
  ],
];

/** One large directory: links, small files, and objects of which some are shared; every seventh has an attribute. */
function largeDump(): Buffer {
  const lines = ["/ 0 40755 3 0 0 0 1.0 - - -", "/d 0 40755 2 0 0 0 1.0 - - -"];
  for (let index = 0; index < ENTRIES; index++) {
    const path = `/d/${String(index).padStart(5, "0")}${"n".repeat(index % 90)}`;
    const xattr = index % 7 === 0 ? ` user.a=${"v".repeat(index % 300)}` : "";
    const line = (size: number, mode: number, seconds: number, payload: string, content: string, digest: string) =>
      lines.push(`${path} ${size} ${mode} 1 0 0 0 ${seconds}.0 ${payload} ${content} ${digest}${xattr}`);
    if (index % 5 === 0) {
      const target = "t".repeat((index % 900) + 1);
      line(target.length, 120777, 1, target, "-", "-");
    } else if (index % 5 === 1) {
      const content = "c".repeat(((index * 7) % 60) + 1);
      line(content.length, 100644, index % 2, "-", content, "-");
    } else {
      const digest = hash("sha256", String(index % 9000));
      line(100 + index, 100644, index % 3, `${digest.slice(0, 2)}/${digest.slice(2)}`, "-", digest);
    }
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

for (const [options, expected] of IMAGES) {
  const { form, dialect } = options;
  test(`layOutErofs() gives a large image in pieces, ${form} of ${dialect}`, () => {
    const dump = largeDump();
    const root = parseDump(dump, { dialect });
    const layout = layOutErofs(root, options);
    for (let round = 0; round < 2; round++) {
      const pieces = [...layout.pieces()].map(({ length }) => length);
      assert.ok(pieces.length > 4 && Math.max(...pieces) <= 1 << 20, `${pieces}`);
      assert.equal(
        pieces.reduce((sum, length) => sum + length, 0),
        layout.sizeBytes,
      );
    }
    const image = Buffer.concat(Array.from(layout.pieces(), (piece) => Buffer.from(piece)));
    assert.equal(hash("sha256", image), expected);
    assert.deepEqual(Buffer.from(writeErofs(root, options)), image);
    if (form === "v1") assert.equal(Buffer.compare(formatDump(readErofs(image).root), formatDump(parseDump(dump))), 0);
  });
}

test("an image is not written of a tree that was changed after it was laid out", () => {
  const root = parseDump(largeDump());
  const layout = layOutErofs(root, { form: "v1", algorithm: "sha256" });
  root.metadata.mtimeSeconds = 0n; // the lowest of all, with which an inode is shorter
  assert.throws(() => [...layout.pieces()], /tree was changed/);
});
