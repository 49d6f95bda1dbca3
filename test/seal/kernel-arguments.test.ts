import assert from "node:assert/strict";
import { test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { imageKernelArguments, sealedCommandLine } from "../../src/seal/kernel-arguments.ts";

const id = "ab".repeat(64);

function failure(action: () => unknown): SealrootError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    return error;
  }
  return assert.fail("nothing was thrown");
}

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

test("kargs.d files are read in the order of their names and for their architectures only", () => {
  const files = [
    { name: "20-b.toml", text: 'kargs = ["b=1"]\nmatch-architectures = ["aarch64"]\n' },
    { name: "10-a.toml", text: 'kargs = ["a=1", "a=2"]\n' },
    { name: "30-c.toml", text: 'kargs = ["c"]\nmatch-architectures = ["x86_64"]\n' },
  ];
  assert.deepEqual(imageKernelArguments(files, "x86_64"), ["a=1", "a=2", "c"]);
});

test("a broken kargs.d file is named with its line", () => {
  const read = (text: string) => failure(() => imageKernelArguments([{ name: "x.toml", text }], "x86_64"));
  assert.equal(read("ok = 1\nkargs = [").data.path, "/usr/lib/bootc/kargs.d/x.toml");
  assert.equal(read("a = [").code, "corrupt");
  assert.equal(read("").message, 'Cannot parse /usr/lib/bootc/kargs.d/x.toml: "kargs" is missing');
  assert.equal(
    read('kargs = ["a"]\nkarg = 1').message,
    'Cannot parse /usr/lib/bootc/kargs.d/x.toml: unknown key "karg"',
  );
  assert.equal(
    read("kargs = [1]").message,
    'Cannot parse /usr/lib/bootc/kargs.d/x.toml: "kargs" is not a list of texts',
  );
});
