import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandLine } from "../../src/bls/index.ts";
import { chooseImage, formatPermit, UNSEALED_PERMIT } from "../../src/bootplan/index.ts";

const V1 = "ab".repeat(64);
const V2 = "cd".repeat(64);
const OTHER = "ef".repeat(64);
const DIGEST = `composefs.digest=v1-sha512-12:${V1}`;
const BOTH = `${DIGEST}\ncomposefs=${V2}\n`;
const choose = (line: string, permit: string | undefined) => chooseImage(CommandLine.parse(line), permit);

test("formatPermit() holds the composefs arguments of the sealed line as they are, and nothing else", () => {
  assert.equal(formatPermit(CommandLine.parse(`composefs=?${V1} rw composefsx=1 quiet`)), `composefs=?${V1}\n`);
  assert.equal(formatPermit(CommandLine.parse(`${DIGEST} composefs=${V2} rw`)), BOTH);
  assert.equal(formatPermit(CommandLine.parse("rw")), "");
});

test("chooseImage() takes the first image named, whichever are permitted beside it", () => {
  assert.equal(choose(`${DIGEST} composefs=${V2} rw`, BOTH).id, V1);
  assert.equal(choose(`composefs=${V2} rw`, BOTH).id, V2);
  assert.equal(choose(`composefs=${V1} rw`, `composefs=${V1}`).id, V1);
  // What a bare argument holds is not said by its form: the image of version 1 may stand there as well.
  assert.equal(choose(`composefs=${V1} rw`, BOTH).id, V1);
});

test("chooseImage() refuses an image that is not permitted, in the first place and in the second", () => {
  for (const [line, permit, expected] of [
    [`composefs=${OTHER}`, `composefs=${V1}`, `sha512:${V1}`],
    [`composefs=${V1} rw composefs.digest=v1-sha512-12:${OTHER}`, `composefs=${V1}`, `sha512:${V1}`],
    [`${DIGEST} rw composefs=${OTHER}`, DIGEST, `sha512:${V1}`],
    [`${DIGEST} rw composefs=${OTHER}`, BOTH, `sha512:${V1} or sha512:${V2}`],
  ] as const) {
    assert.throws(() => choose(line, permit), {
      code: "untrusted",
      message:
        "Cannot choose the root image: the kernel command line names one that the sealed initramfs does not permit",
      data: { expected, actual: `sha512:${OTHER}` },
    });
  }
  assert.throws(() => choose(`composefs=${"ab".repeat(32)}`, BOTH), {
    code: "untrusted",
    data: { expected: `sha512:${V1} or sha512:${V2}`, actual: `sha256:${"ab".repeat(32)}` },
  });
});

test("chooseImage() refuses a third argument, permitted or not", () => {
  for (const third of [`composefs=${V2}`, DIGEST, `composefs=${OTHER}`, `composefs.digest=v2-sha512-12:${V2}`]) {
    assert.throws(() => choose(`${DIGEST} composefs=${V2} rw ${third}`, BOTH), {
      code: "untrusted",
      message: /^Cannot choose the root image: 2 times composefs(\.digest)?= on the kernel command line/,
    });
  }
});

test("chooseImage() lets fs-verity be optional only where the permit says so", () => {
  assert.equal(choose(`composefs=?${V1}`, `composefs=?${V1}`).verityOptional, true);
  assert.equal(choose(`composefs=${V1}`, `composefs=?${V1}`).verityOptional, false);
  const optional = `composefs.digest=?v1-sha512-12:${V1} composefs=?${V2}`;
  assert.equal(choose(optional, optional).verityOptional, true);
  for (const [line, permit] of [
    [`composefs=?${V1}`, `composefs=${V1}`],
    [optional, BOTH],
  ] as const) {
    assert.throws(() => choose(line, permit), {
      code: "untrusted",
      message:
        "Cannot choose the root image: the kernel command line drops fs-verity, the sealed initramfs requires it",
    });
  }
});

test("chooseImage() refuses without an image on the line, and without a permit", () => {
  assert.throws(() => choose("rw quiet", BOTH), { code: "untrusted", message: /: no composefs= on the kernel/ });
  for (const permit of [undefined, "", "\n", "rw\n"]) {
    assert.throws(() => choose(DIGEST, permit), {
      code: "untrusted",
      message: "Cannot choose the root image: the initramfs does not say which it may mount",
      data: { hint: "seal the image again" },
    });
  }
  assert.throws(() => choose(DIGEST, "composefs=12"), { code: "corrupt" });
});

test("an initramfs that no seal made takes the image that the command line names, and still only one of each form", () => {
  assert.equal(choose(`${DIGEST} composefs=${V1} rw`, UNSEALED_PERMIT).id, V1);
  assert.equal(choose(`composefs=?${OTHER}`, UNSEALED_PERMIT).verityOptional, true);
  assert.throws(() => choose("rw", UNSEALED_PERMIT), { code: "untrusted", message: /no composefs= on the kernel/ });
  assert.throws(() => choose(`composefs=${V1} composefs=${V1}`, UNSEALED_PERMIT), { code: "untrusted" });
});

test("only the whole permit of an unsealed initramfs is one", () => {
  for (const permit of ["unsealed", "unsealed\n\n", `unsealed\ncomposefs=${V2}\n`, `composefs=${V2}\nunsealed\n`]) {
    assert.throws(() => choose(`composefs=${V1}`, permit), { code: "untrusted" }, JSON.stringify(permit));
  }
});
