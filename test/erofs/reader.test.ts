import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ErofsForm, listErofsObjects, readErofs, writeErofs } from "../../src/erofs/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { firstTreeDifference, parseDump } from "../../src/tree/index.ts";
import { listBadImages, listVectors, readVector } from "./vectors.ts";

/**
 * Offset and rule for each image of vectors/erofs/badimages that is refused. b00 is good; b44, an epoch 1 body under
 * version 2, is a valid image of 256 whiteouts.
 */
const RULES: Record<string, string | undefined> = {
  "b01-header-magic": "offset 0: header magic is 3497550336, not 3497550490",
  "b02-header-version": "offset 4: header version is 2, not 1",
  "b03-composefs-version": "offset 12: composefs version 3 is unknown",
  "b04-sb-magic": "offset 1024: superblock magic is 3774210304, not 3774210530",
  "b05-blkszbits": "offset 1036: block size exponent is 9, not 12",
  "b06-extslots": "offset 1037: extension slots is 1, not 0",
  "b07-incompat": "offset 1104: unknown feature_incompat bits in 0x10",
  "b08-compat": "offset 1032: unknown feature_compat bits in 0x86",
  "b09-compr": "offset 1108: compression algorithms is 1, not 0",
  "b10-extra-dev": "offset 1110: extra devices is 1, not 0",
  "b11-packed": "offset 1120: packed inode is 1, not 0",
  "b12-meta": "offset 1064: metadata block is 1, not 0",
  "b13-xattr-blkaddr": "offset 1068: the xattr block is beyond the image",
  "b14-xattr-prefixes": "offset 1115: xattr prefix count is 1, not 0",
  "b15-root-nid": "offset 4096: inode number 65520 is outside the image",
  "b16-root-layout": "offset 1152: data layout 1 is unknown",
  "b17-root-not-dir": "offset 1156: the root is not a directory",
  "b18-dot-wrong": 'offset 1216: "." names inode 40, not 36',
  "b19-dotdot-wrong": 'offset 1228: ".." names inode 40, not 36',
  "b20-child-nid": "offset 4096: inode number 1099511627776 is outside the image",
  "b21-nameoff-zero": "offset 1224: first name at 0 of 53",
  "b22-nameoff-odd": "offset 1224: first name at 49 of 53",
  "b23-nameoff-far": "offset 1224: a name at 48 to 4000 of 53",
  "b24-dup-name": 'offset 1252: two entries named "e"',
  "b25-nlink-leaf": "offset 1280: link count is 2, not 1",
  "b26-nlink-dir": "offset 1152: link count is 5, not 2",
  "b27-metacopy-len": "offset 1280: metacopy 0025000101234567… of 36 bytes",
  "b28-metacopy-algo": "offset 1280: metacopy 0024000201234567… of 36 bytes",
  "b29-xattr-index": "offset 1361: attribute name index 9 is unknown",
  "b30-xattr-value-len": "offset 1360: an attribute reaches past the end of its area",
  "b31-shared-ref": "offset 1356: shared attribute 2147483647 is beyond the image",
  "b32-shared-count": "offset 1348: 255 shared attributes do not fit the area",
  "b33-inline-size": "offset 1544: size 4294967296 is larger than the image",
  "b34-file-type": "offset 1540: mode 644 has no known file type",
  "b35-dirent-type": 'offset 1250: entry "e" has type 2 for a file',
  "b36-name-order": 'offset 1252: name "e" is out of order',
  "b37-name-slash": 'offset 1240: "/" is no file name',
  "b38-name-nul": "offset 1260: a name at 52 to 52 of 53",
  "b39-cycle": 'offset 1250: entry "e" has type 1 for a directory',
  "b40-truncated": "offset 0: 1100 bytes are too few for an image",
  "b41-truncated-inode": "offset 1060: 1 blocks in an image of 1312 bytes",
  "b42-empty": "offset 0: 0 bytes are too few for an image",
  "b43-e1-missing-stub": 'offset 13848: name "80" is out of order',
  "b45-e1-block-range": "offset 1168: the data reach past the end of the image",
};

for (const file of listBadImages()) {
  const name = file.replace(".erofs.gz", "");
  test(`readErofs() ${RULES[name] === undefined ? "accepts" : "refuses"} ${name}`, () => {
    const image = readVector(`badimages/${file}`);
    let message: string | undefined;
    try {
      readErofs(image);
    } catch (error) {
      assert.ok(error instanceof Error);
      message = error.message;
    }
    assert.equal(message?.replace("Cannot read EROFS image: ", ""), RULES[name]);
  });
}

/** The C tool stores the link counts of the dump, which are wrong in this one. */
const NLINK_AS_STATED = "v24-nlink-C.c-default.erofs.gz";

test("readErofs() refuses link counts that are not the number of names", () => {
  assert.throws(() => readErofs(readVector(NLINK_AS_STATED)), {
    code: "corrupt",
    message: /: link count is \d+, not 1$/,
  });
});

const FORM_OF_VERSION: readonly ErofsForm[] = ["v0", "v1", "v2"];

for (const vector of listVectors()) {
  for (const [column, { image: file }] of Object.entries(vector.results)) {
    if (file === undefined || file === NLINK_AS_STATED) continue;
    test(`readErofs() reads ${vector.name}, ${column}, and writeErofs() gives the same bytes again`, () => {
      const image = readVector(file);
      const { root, version, algorithm } = readErofs(image);
      const written = writeErofs(root, {
        form: FORM_OF_VERSION[version] ?? assert.fail(),
        algorithm: algorithm ?? "sha256",
        dialect: column.startsWith("c-") ? "c" : "rs",
      });
      // The one thing an image does not tell: on which of its names the C tool's hard link had its own line.
      if (file !== "v25-hardlink-order.c-default.erofs.gz") assert.ok(Buffer.from(image).equals(written));
      const expected = parseDump(readVector(vector.input));
      if (version !== 2) assert.equal(firstTreeDifference(root, expected), undefined);
    });
  }
}

test("listErofsObjects() lists each object once", () => {
  const lines = [
    "/ 0 40755 2 0 0 0 1000.0 - - -",
    ...["b", "a", "a"].map((letter, index) => {
      const digest = letter.repeat(64);
      return `/f${index} 9 100644 1 0 0 0 1.0 ${digest.slice(0, 2)}/${digest.slice(2)} - ${digest}`;
    }),
    "/other 9 100644 1 0 0 0 1.0 - - -",
    "/small 1 100644 1 0 0 0 1.0 - s -",
  ];
  const tree = parseDump(Buffer.from(lines.join("\n")));
  for (const form of ["v0", "v1", "v2"] as const) {
    assert.deepEqual(listErofsObjects(writeErofs(tree, { form, algorithm: "sha256" })), [
      "a".repeat(64),
      "b".repeat(64),
    ]);
  }
});

test("readErofs() never fails but with its own error, whatever byte is changed", () => {
  for (const file of [
    "badimages/b00-good.erofs.gz",
    "v11-hardlinks.rs-v2.erofs.gz",
    "v10-xattr-shared.c-default.erofs.gz",
  ]) {
    const image = readVector(file);
    fc.assert(
      fc.property(fc.nat(image.length - 1), fc.nat(255), fc.nat(1), (offset, value, cut) => {
        const changed = image.slice(0, cut === 1 && offset % 4096 === 0 ? offset : image.length);
        changed[offset] = value;
        try {
          readErofs(changed);
        } catch (error) {
          assert.ok(error instanceof SealrootError && error.code === "corrupt", String(error));
        }
      }),
      { numRuns: 400 },
    );
  }
});
