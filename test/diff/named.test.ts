/** A UKI, or an id alone, against the image: the rule that makes it, or what was changed since. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ByteString } from "../../src/bytes/index.ts";
import { imageIdOfTree } from "../../src/repository/index.ts";
import { composeBootTree, DEFAULT_BOOT_RULE, type DirectoryNode, formatDump } from "../../src/tree/index.ts";
import { peImage } from "../bootloader/pe-fixture.ts";
import { run } from "../cli/run-verb.ts";
import { imageOfTars } from "../imagestore/hand-made.ts";
import { base, directory, file, tarOf, treeOfLayers } from "./planted.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-diff-named-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
type Layers = Parameters<typeof treeOfLayers>[0];

async function image(name: string, layers: Layers): Promise<string> {
  const history = layers.map((_, index) => ({ created_by: `step ${index + 1}` }));
  return imageOfTars(at(name), await Promise.all(layers.map(tarOf)), { history });
}

function bootTree(layers: Layers, rule = DEFAULT_BOOT_RULE): DirectoryNode {
  const root = treeOfLayers(layers);
  composeBootTree(root, () => assert.fail("no policy"), rule);
  return root;
}

const bootId = (layers: Layers, rule = DEFAULT_BOOT_RULE, version: 1 | 2 = 1) =>
  imageIdOfTree(bootTree(layers, rule), "sha512", version);
const diff = (...words: string[]) => run("diff", ...words, "--insecure-policy");

/** /boot with a fraction of its own, and a user attribute: every rule gives another image. */
const ODD: Layers = [
  [
    ...base(),
    directory("boot", { mtimeNanoseconds: 7 }),
    file("usr/x", "", { xattrs: new Map([["user.a" as ByteString, Buffer.from("1")]]) }),
  ],
];

for (const { name, rule, version, said } of [
  { name: "today's", rule: DEFAULT_BOOT_RULE, version: 1, said: "version 1" },
  { name: "version 2", rule: DEFAULT_BOOT_RULE, version: 2, said: "version 2" },
  {
    name: "seconds of /usr only",
    rule: { ...DEFAULT_BOOT_RULE, bootTimes: "seconds" },
    version: 1,
    said: "version 1, /boot and /sysroot with the seconds of /usr only (composefs before 0.9.3)",
  },
  {
    name: "user attributes kept",
    rule: { ...DEFAULT_BOOT_RULE, keepUserXattrs: true },
    version: 1,
    said: "version 1, user.* attributes kept",
  },
] as const) {
  test(`diff of an id with the image names the rule that makes it: ${name}`, async () => {
    const reference = await image(`rule-${name}`.replaceAll(/[^a-z0-9-]/g, ""), ODD);
    const id = bootId(ODD, rule, version);
    const { exitCode, out, err } = await diff(id, reference);
    assert.deepEqual({ exitCode, err }, { exitCode: 0, err: "" });
    assert.ok(out.includes(`   names ${id}: made by ${said}\n`), out);
    assert.ok(out.endsWith("\n\none digest: nothing that counts differs\n"), out);
  });
}

test("diff of a UKI with an image to which a layer was added names the layer and what it changed", async () => {
  const layers = [base(), [file("etc/motd", "hello")]];
  const id = bootId([base()]);
  const uki = at("os.efi");
  const second = bootId([base()], DEFAULT_BOOT_RULE, 2);
  const line = `composefs.digest=v1-sha512-12:${id} composefs=${second} rw`;
  writeFileSync(uki, peImage({ ".linux": "MZ", ".cmdline": line }));
  const reference = await image("added", layers);
  for (const [a, b, sign] of [
    [uki, reference, "none → file of 5 bytes"],
    [reference, uki, "file of 5 bytes → none"],
  ] as const) {
    const { exitCode, out, err } = await diff(a, b);
    assert.deepEqual({ exitCode, err }, { exitCode: 1, err: "" });
    assert.match(out, /UKI, the image without its last layer, layer 2 \(step 2\), 21 inodes/);
    assert.deepEqual(out.split("\n\n")[1]?.split("\n"), [
      "/etc/motd",
      `  entry: ${sign}  (entry)`,
      `    ${b === reference ? "B" : "A"}: from layer 2 (step 2)`,
    ]);
  }
});

test("diff of an id with an image whose last layer removes something: the layer did it, not the unpacking", async () => {
  const layers = [base(), [directory("usr/share"), file("usr/share/.wh.old")]];
  const { exitCode, out } = await diff(bootId([base()]), await image("removed", layers));
  assert.equal(exitCode, 1);
  assert.deepEqual(out.split("\n\n")[1]?.split("\n"), [
    "/usr/share/old",
    "  entry: file of 3 bytes → none  (entry)",
    "    B: layer 2 (step 2) removes it",
  ]);
});

test("diff of an id with an image that has its kernel again names the kernel", async () => {
  const modules = ["usr/lib/modules", "usr/lib/modules/6.1"].map((path) => directory(path));
  const id = bootId([[...base(), ...modules]]);
  const reference = await image("kernel", [[...base(), ...modules, file("usr/lib/modules/6.1/vmlinuz", "MZ")]]);
  const { exitCode, out } = await diff(id, reference);
  assert.equal(exitCode, 1);
  assert.match(out, /image id, the other side without kernel and initramfs, as they are split from the root/);
  assert.deepEqual(out.split("\n\n")[1]?.split("\n"), [
    "/usr/lib/modules/6.1/vmlinuz",
    "  entry: none → file of 2 bytes  (kernel-in-modules)",
  ]);
});

test("diff of an id with an image that was sealed from a copy without nanoseconds", async () => {
  const whole = base().map((member) => ({ ...member, header: { ...member.header, mtimeNanoseconds: 0 } }));
  const { exitCode, out } = await diff(bootId([whole]), await image("whole", [base()]));
  assert.equal(exitCode, 1);
  assert.match(out, /image id, the other side with whole seconds/);
  assert.match(out, /nanoseconds-dropped\)\n {4}A has whole seconds everywhere\n/);
});

test("diff of an id with an image that has the dump file of what was sealed", async () => {
  const sealed = bootTree([[...base(), file("usr/share/gone", "gone")]]);
  const id = imageIdOfTree(sealed, "sha512", 1);
  const dump = Buffer.from(formatDump(sealed)).toString();
  const { exitCode, out } = await diff(id, await image("dumped", [[...base(), file("boot/6.1.dump", dump)]]));
  assert.equal(exitCode, 1);
  assert.match(out, /image id, the tree of \/boot\/6\.1\.dump/);
  assert.deepEqual(out.split("\n\n")[1]?.split("\n"), ["/usr/share/gone", "  entry: file of 4 bytes → none  (entry)"]);
});

test("diff of an id that nothing makes says what to compare instead", async () => {
  const { exitCode, out, err } = await diff("0".repeat(128), await image("unrelated", [base(), [file("etc/motd")]]));
  assert.deepEqual({ exitCode, err }, { exitCode: 1, err: "" });
  assert.match(out, /^note: no rule makes this image of the other side, nor of what it was before a likely change; /m);
  assert.match(out, /\n\ntwo digests\n$/);
});

test("what cannot be compared is refused with the way out", async () => {
  const none = await diff("nothing-here", "neither");
  assert.equal(none.exitCode, 1);
  assert.match(none.err, /^sealroot: Cannot compare "nothing-here": there is no such file$/m);
  writeFileSync(at("text"), "hello\n");
  const text = await diff(at("text"), at("text"));
  assert.match(text.err, /^sealroot: Cannot compare .*: it is not an EROFS image, a UKI, a disk or a dump file$/m);
  await image("layout", [base()]);
  assert.match(
    (await diff(at("layout"), at("layout"))).err,
    /it is an OCI layout, not a root file system\n {2}write oci:/,
  );
  const other = await diff("a".repeat(64), "b".repeat(128));
  assert.match(other.err, /the digests of a{64} are sha256, those of b{128} sha512$/m);
});
