import assert from "node:assert/strict";
import { test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { imageKernelArguments, readKargsFiles, sealedCommandLine } from "../../src/seal/kernel-arguments.ts";
import { type TreeItem, treeOf } from "../tree/tree-of.ts";

const KARGS = "/usr/lib/bootc/kargs.d";
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

test("an argument of kargs.d is refused with its file, one that was typed as a usage error", () => {
  const text = 'kargs = ["quiet", "dyndbg=\\"file drivers/usb/* +p"]\n';
  const inFile = failure(() => imageKernelArguments([{ name: "20-a.toml", text }], "x86_64"));
  assert.equal(inFile.code, "unsupported");
  assert.equal(
    inFile.message,
    `Cannot use the kernel argument "dyndbg=\\"file drivers/usb/* +p" of ${KARGS}/20-a.toml: a double quote is not closed`,
  );
  const base = { images: [`composefs=${id}`], rootUuid: undefined, imageArguments: [] };
  for (const argument of ['a="b', 'c" init=/bin/sh', "init=/bin/sh", "a=\u00a0init=/x", "x='a b'", "--"]) {
    const error = failure(() => sealedCommandLine({ ...base, userArguments: [argument] }));
    assert.equal(error.code, "usage", argument);
    assert.match(error.message, /^Cannot use the kernel argument "/);
  }
});

test("the finished line is held to the kernel's limit, whoever filled it", () => {
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

test("kargs.d that is not a folder of text files is refused, not passed over", async () => {
  const read = (items: Readonly<Record<string, TreeItem>>) => readKargsFiles(treeOf(items));
  const cases: readonly (readonly [Readonly<Record<string, TreeItem>>, string, string])[] = [
    [{ [KARGS]: "kargs = []" }, "unsupported", `Cannot use ${KARGS} in the image: it is a file, not a directory`],
    [
      { [KARGS]: { link: "gone" } },
      "unsupported",
      `Cannot use ${KARGS} in the image: it is a symbolic link to nothing`,
    ],
    [{ "/usr/lib/bootc": "x" }, "unsupported", "Cannot use /usr/lib/bootc in the image: it is a file, not a directory"],
    [
      { [`${KARGS}/a.toml/`]: undefined },
      "unsupported",
      `Cannot use ${KARGS}/a.toml in the image: it is a directory, not a file`,
    ],
    [
      { [`${KARGS}/a.toml`]: { link: "b" } },
      "unsupported",
      `Cannot use ${KARGS}/a.toml in the image: it is a symbolic link to nothing`,
    ],
    [
      { [`${KARGS}/a.toml`]: Uint8Array.of(0x23, 0xff) },
      "corrupt",
      `Cannot parse ${KARGS}/a.toml: it is not UTF-8 text`,
    ],
  ];
  for (const [items, code, message] of cases) await assert.rejects(read(items), { code, message });
  assert.deepEqual(await read({ "/usr/lib/": undefined }), []);
  const found = await read({
    [`${KARGS}/10-a.toml`]: 'kargs = ["a"]',
    [`${KARGS}/20-link.toml`]: { link: "../other.toml" },
    "/usr/lib/bootc/other.toml": 'kargs = ["b"]',
    // Neither has the ending, for bootc.
    [`${KARGS}/.toml`]: "not [ toml",
    [`${KARGS}/README`]: "not [ toml",
    [`${KARGS}/old/`]: undefined,
  });
  assert.deepEqual(found, [
    { name: "10-a.toml", text: 'kargs = ["a"]' },
    { name: "20-link.toml", text: 'kargs = ["b"]' },
  ]);
});

test("a file for another architecture is passed over, and one for none is told of", () => {
  const warnings: string[] = [];
  const files = [
    { name: "a.toml", text: 'kargs = ["init=/x"]\nmatch-architectures = ["aarch64", "s390x"]' },
    { name: "b.toml", text: 'kargs = ["b"]\nmatch-architectures = ["amd64", "x86_64"]' },
    { name: "c.toml", text: 'kargs = ["c"]\nmatch-architectures = []' },
  ];
  assert.deepEqual(
    imageKernelArguments(files, "x86_64", (text) => warnings.push(text)),
    ["b"],
  );
  assert.deepEqual(warnings, [`${KARGS}/b.toml: "amd64" is not an architecture as Rust names it (x86_64, aarch64 …)`]);
});
