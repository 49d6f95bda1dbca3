import assert from "node:assert/strict";
import { test } from "node:test";
import { imageKernelArguments, readKargsFiles } from "../../src/bootimage/index.ts";
import { failure } from "../errors/failure.ts";
import { type TreeItem, treeOf } from "../tree/tree-of.ts";

const KARGS = "/usr/lib/bootc/kargs.d";

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

test("an argument of kargs.d is refused with its file", () => {
  const text = 'kargs = ["quiet", "dyndbg=\\"file drivers/usb/* +p"]\n';
  const inFile = failure(() => imageKernelArguments([{ name: "20-a.toml", text }], "x86_64"));
  assert.equal(inFile.code, "unsupported");
  assert.equal(
    inFile.message,
    `Cannot use the kernel argument "dyndbg=\\"file drivers/usb/* +p" of ${KARGS}/20-a.toml: a double quote is not closed`,
  );
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
