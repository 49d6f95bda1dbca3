import assert from "node:assert/strict";
import { test } from "node:test";
import { sealedCommandLine } from "../../src/seal/command-line.ts";
import { failure } from "../errors/failure.ts";

const id = "ab".repeat(64);

test("the sealed command line is composefs, root, rw, the image's arguments, the user's, each once", () => {
  const line = sealedCommandLine({
    images: [`composefs.digest=v1-sha512-12:${id}`, `composefs=${id}`],
    rootUuid: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    imageArguments: ["quiet", "console=ttyS0"],
    userArguments: ["quiet", 'x="a b"'],
  });
  const images = `composefs.digest=v1-sha512-12:${id} composefs=${id}`;
  assert.equal(line, `${images} root=UUID=0fc63daf-8483-4772-8e79-3d69d8477de4 rw quiet console=ttyS0 x="a b"`);
  const options = { rootUuid: undefined, imageArguments: [], userArguments: [] };
  assert.equal(sealedCommandLine({ images: [`composefs=?${id}`], ...options }), `composefs=?${id} rw`);
});

test("an initramfs in which systemd runs is sealed with systemd.import_credentials=no, last and once", () => {
  const line = (imageArguments: string[], userArguments: string[], importsCredentials?: boolean) =>
    sealedCommandLine({
      ...{ images: [`composefs=${id}`], rootUuid: undefined },
      ...{ imageArguments, userArguments, importsCredentials },
    });
  const no = "systemd.import_credentials=no";
  assert.equal(line(["a"], ["b"], false), `composefs=${id} rw a b ${no}`);
  assert.equal(line([no, "a"], [no, "b"], false), `composefs=${id} rw a b ${no}`);
  assert.equal(line(["systemd.import-credentials=no"], [], false), `composefs=${id} rw ${no}`);
  assert.equal(line([], [no, "b"]), `composefs=${id} rw ${no} b`);
  assert.equal(line([], [], true), `composefs=${id} rw`);
  for (const other of ["yes", "0", "no_", ""].map((value) => `systemd.import_credentials=${value}`)) {
    for (const [image, user] of [
      [[other], []],
      [[], [other]],
      [[`rd.${other}`], []],
      [[no], [other.replace("_", "-")]],
    ] as const) {
      const { code, message } = failure(() => line([...image], [...user], false));
      assert.equal(code, "conflict");
      assert.match(
        message,
        /^Cannot use the kernel argument ".*import[-_]credentials=.*": an extended initramfs is sealed with systemd.import_credentials=no$/,
      );
    }
  }
  assert.equal(failure(() => line([], ["systemd.import_credentials"], false)).code, "conflict");
});

test("a user argument that would choose another root or init is refused", () => {
  for (const argument of ["composefs=x", "root=/dev/sda", "init=/bin/sh", "rdinit=/x", "systemd.unit=rescue.target"]) {
    const error = failure(() =>
      sealedCommandLine({
        images: [`composefs=${id}`],
        rootUuid: undefined,
        imageArguments: [],
        userArguments: [argument],
      }),
    );
    assert.equal(error.code, "usage", argument);
  }
});

test("an argument that was typed is refused as a usage error", () => {
  const base = { images: [`composefs=${id}`], rootUuid: undefined, imageArguments: [] };
  for (const argument of ['a="b', 'c" init=/bin/sh', "init=/bin/sh", "a=\u00a0init=/x", "x='a b'", "--"]) {
    const error = failure(() => sealedCommandLine({ ...base, userArguments: [argument] }));
    assert.equal(error.code, "usage", argument);
    assert.match(error.message, /^Cannot use the kernel argument "/);
  }
});

test("the finished line is checked against the kernel's limit, whoever filled it", () => {
  const line = (imageLength: number, userLength: number) =>
    sealedCommandLine({
      images: [`composefs=${id}`],
      rootUuid: undefined,
      imageArguments: [`i=${"x".repeat(imageLength)}`],
      userArguments: [`u=${"x".repeat(userLength)}`],
      architecture: "x64",
    });
  const rest = 2047 - line(0, 0).length;
  assert.equal(line(rest - 1000, 1000).length, 2047);
  const error = failure(() => line(rest - 1000, 1001));
  assert.equal(error.message, "Cannot use the kernel command line: it has 2048 bytes, the kernel keeps 2047");
});
