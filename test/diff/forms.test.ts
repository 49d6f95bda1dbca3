/** The same tree in other forms: each form against each, and forms that differ though their trees do not. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { writeErofs } from "../../src/erofs/index.ts";
import { pullImage } from "../../src/imagestore/index.ts";
import { imageIdOfTree, initRepository } from "../../src/repository/index.ts";
import { composeBootTree, composePlainTree, type FileNode, formatDump } from "../../src/tree/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { run } from "../cli/run-verb.ts";
import { imageOfTars } from "../imagestore/hand-made.ts";
import { base, file, folder, at as nodeAt, tarOf, treeOfLayers } from "./planted.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-diff-forms-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);

/** With an object, whose digest says which hash it is. */
const LAYERS = [[...base(), file("usr/share/large", "large".repeat(100))]];

function tree() {
  const root = treeOfLayers(LAYERS);
  const bytes = Buffer.from("large".repeat(100));
  const large = nodeAt(root, "/usr/share/large") as FileNode;
  const content = { type: "external", sizeBytes: bytes.length, objectId: verityDigest(bytes, "sha512") } as const;
  folder(root, "/usr/share").entries.set("large" as never, { ...large, content });
  return root;
}

const unreadable = () => assert.fail("there is no policy");
const boot = tree();
composeBootTree(boot, unreadable);
const bootId = imageIdOfTree(boot, "sha512", 1);
const plain = tree();
composePlainTree(plain);

const reference = imageOfTars(at("image"), await Promise.all(LAYERS.map(tarOf)));
writeFileSync(at("raw.dump"), formatDump(tree()));
writeFileSync(at("boot.dump"), formatDump(boot));
writeFileSync(at("plain.dump"), formatDump(plain));
writeFileSync(at("v1.erofs"), writeErofs(boot, { form: "v1", algorithm: "sha512" }));
writeFileSync(at("v2.erofs"), writeErofs(boot, { form: "v2", algorithm: "sha512" }));
const repositoryPath = at("repository");
{
  using repository = (await initRepository(repositoryPath, { algorithm: "sha512", protection: "insecure" })).repository;
  await pullImage(repository, reference, { name: "os", bootable: true, policy: "accept-anything" });
}

const diff = (...words: string[]) => run("diff", ...words, "--insecure-policy", "--repo", repositoryPath);

const SAME = {
  "an image": reference,
  "a stored image": "os",
  "a raw dump": at("raw.dump"),
  "a dump of the boot image": at("boot.dump"),
  "an EROFS image": at("v1.erofs"),
  "a stored EROFS image": bootId.slice(0, 12),
};

for (const [name, one] of Object.entries(SAME)) {
  test(`${name} is the same as every other form of it`, async () => {
    for (const other of Object.values(SAME)) {
      const { exitCode, out, err } = await diff(one, other);
      assert.deepEqual([exitCode, err], [0, ""], `${one} ${other}: ${out}`);
      assert.match(out, /\n\none digest: nothing that counts differs\n$/);
      assert.equal(out.split(bootId).length, 3, out);
    }
  });
}

test("EROFS images of one tree in two versions: no path differs, and the note says why the ids do", async () => {
  const { exitCode, out } = await diff(at("v1.erofs"), at("v2.erofs"));
  assert.equal(exitCode, 1);
  assert.match(out, /^note: A is an EROFS image of version 1, B of version 2: the same tree has two ids$/m);
  assert.match(out, /\n\ntwo digests of one tree, by sha512\n/);
  // The image itself follows the version of what it is compared with.
  assert.equal((await diff(at("v2.erofs"), reference)).exitCode, 0);
});

test("a plain image and a boot image: what differs, and that they are not of one kind", async () => {
  const { exitCode, out } = await diff(at("plain.dump"), at("boot.dump"));
  assert.equal(exitCode, 1);
  assert.match(out, /^note: A is a plain image, B a boot image$/m);
  assert.match(out, /^\/boot\/loader\.conf\n {2}entry: file of 10 bytes → none {2}\(entry\)$/m);
});

test("contents that one side keeps in the image", async () => {
  const inline = tree();
  composeBootTree(inline, unreadable);
  const large = nodeAt(inline, "/usr/share/large") as FileNode;
  const content = { type: "inline", bytes: Buffer.from("large".repeat(100)) } as const;
  folder(inline, "/usr/share").entries.set("large" as never, { ...large, content });
  writeFileSync(at("inline.dump"), formatDump(inline));
  const { exitCode, out } = await diff(at("boot.dump"), at("inline.dump"));
  assert.equal(exitCode, 1);
  assert.match(out, /^\/usr\/share\/large\n {2}content: [0-9a-f]{16} → "large.*… {2}\(content-inline\)$/m);
});

test("trees without /usr, or without /boot, are compared as far as both can be brought", async () => {
  const withoutBoot = tree();
  withoutBoot.entries.delete("boot" as never);
  writeFileSync(at("no-boot.dump"), formatDump(withoutBoot));
  const first = await diff(at("raw.dump"), at("no-boot.dump"));
  assert.equal(first.exitCode, 1);
  assert.match(first.out, /^note: B has no \/boot and \/sysroot, as a boot image must$/m);
  assert.match(first.out, /^note: plain images are compared: everything of them counts$/m);
  withoutBoot.entries.delete("usr" as never);
  writeFileSync(at("no-usr.dump"), formatDump(withoutBoot));
  const second = await diff(at("no-usr.dump"), at("no-usr.dump"));
  assert.equal(second.exitCode, 0);
  assert.match(second.out, /^compared as the trees as they are, version 1, sha512$/m);
});

test("two that only name images", async () => {
  const [a, b] = ["a".repeat(128), "b".repeat(128)];
  assert.equal((await diff(a, a)).exitCode, 0);
  const { exitCode, out } = await diff(a, b);
  assert.equal(exitCode, 1);
  assert.match(out, /^note: both only name images: /m);
});
