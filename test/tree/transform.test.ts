import assert from "node:assert/strict";
import { test } from "node:test";
import {
  composeBootTree,
  type DirectoryNode,
  formatDump,
  lookupPath,
  readSelinuxPolicy,
} from "../../src/tree/index.ts";
import { transformForBoot, transformForBootBothWays } from "../../src/tree/transform-boot.ts";
import { transformForOci } from "../../src/tree/transform-oci.ts";
import { bytes, directory, file, names, symlink } from "./build.ts";
import { contentReader, listCases, mergeCase, readCaseFile } from "./repository-vectors.ts";

for (const name of listCases().filter((each) => /^(0\d|10|12|13|14)-/.test(each))) {
  for (const algorithm of ["sha256", "sha512"] as const) {
    test(`layers of ${name} become the reference's tree, ${algorithm}`, () => {
      const { root, objects } = mergeCase(name, algorithm);
      transformForOci(root);
      assert.equal(Buffer.from(formatDump(root)).toString(), String(readCaseFile(name, `rootfs-${algorithm}.dump`)));
      const boot = readCaseFile(name, `rootfs-boot-${algorithm}.dump`);
      if (boot === undefined) return;
      transformForBoot(root, readSelinuxPolicy(root, contentReader(objects)));
      assert.equal(Buffer.from(formatDump(root)).toString(), String(boot));
      const again = mergeCase(name, algorithm);
      composeBootTree(again.root, contentReader(again.objects));
      assert.equal(Buffer.from(formatDump(again.root)).toString(), String(boot));
    });
  }
}

for (const algorithm of ["sha256", "sha512"] as const) {
  test(`the boot variant of 14-boot-times is that of the older reference by its rule, ${algorithm}`, () => {
    const name = "14-boot-times";
    const expected = {
      full: String(readCaseFile(name, `rootfs-boot-${algorithm}.dump`)),
      seconds: String(readCaseFile(name, `rootfs-boot-seconds-${algorithm}.dump`)),
    };
    assert.notEqual(expected.full, expected.seconds);
    const text = (root: DirectoryNode) => Buffer.from(formatDump(root)).toString();
    const { root } = mergeCase(name, algorithm);
    transformForOci(root);
    const made = [...transformForBootBothWays(root, undefined)].map((times) => [times, text(root)]);
    // The tree is as by the rule that came last.
    assert.deepEqual(made.at(-1), ["seconds", expected.seconds]);
    const again = mergeCase(name, algorithm).root;
    transformForOci(again);
    for (const times of transformForBootBothWays(again, undefined)) assert.equal(text(again), expected[times], times);
  });
}

const REFUSED: Record<string, string> = {
  "21-no-usr": 'Cannot make the root file system: Directory entry "usr" does not exist',
  "22-missing-parent": 'Cannot apply layer entry "usr/no/parent": Directory entry "no" does not exist',
  "23-parent-is-symlink": 'Cannot apply layer entry "lib/x": Directory entry "lib" is not a subdirectory',
  "26-hardlink-to-nothing": 'Cannot apply layer entry "usr/x": Directory entry "nope" does not exist',
  "27-dotdot": 'Cannot apply layer entry "usr/../etc": Cannot use path "usr/../etc": Invalid filename "/usr/.."',
  "30-run-is-symlink": 'Cannot make the root file system: Directory entry "run" is not a subdirectory',
};

for (const [name, message] of Object.entries(REFUSED)) {
  test(`layers of ${name} are refused`, () => {
    assert.throws(() => transformForOci(mergeCase(name, "sha256").root), { name: "SealrootError", message });
  });
}

function bootable(): DirectoryNode {
  return directory({
    usr: directory(
      {},
      {
        uid: 3,
        mtimeSeconds: 9n,
        mtimeNanoseconds: 5,
        xattrs: new Map([
          [bytes("user.a"), Buffer.from("1")],
          [bytes("trusted.b"), Buffer.from("2")],
        ]),
      },
    ),
    run: directory({ lock: file() }, { mode: 0o700, mtimeNanoseconds: 1 }),
    boot: directory({ vmlinuz: file() }, { mtimeSeconds: 1n, mtimeNanoseconds: 7 }),
    sysroot: directory({}, { mtimeNanoseconds: 8 }),
  });
}

test("transformForOci() gives the root the metadata of /usr and empties /run", () => {
  const root = bootable();
  transformForOci(root);
  assert.deepEqual(root.metadata, { ...lookupPath(root, bytes("/usr"))?.metadata });
  assert.equal(root.metadata.uid, 3);
  assert.equal(root.metadata.xattrs.size, 0);
  const run = lookupPath(root, bytes("/run"));
  assert.equal(run?.metadata.mode, 0o700);
  assert.equal(run?.metadata.mtimeSeconds, 9n);
  assert.equal(run?.metadata.mtimeNanoseconds, 5);
  assert.deepEqual(names(root), ["d /boot", "f /boot/vmlinuz", "d /run", "d /sysroot", "d /usr"]);
});

test("transformForOci() keeps user attributes on request", () => {
  const root = bootable();
  transformForOci(root, { keepUserXattrs: true });
  assert.deepEqual([...root.metadata.xattrs.keys()], ["user.a"]);
});

test("transformForBoot() empties /boot and /sysroot and gives them the time of /usr", () => {
  for (const [times, bootNanoseconds, sysrootNanoseconds] of [
    ["full", 5, 5],
    ["seconds", 7, 8],
  ] as const) {
    const root = bootable();
    transformForOci(root);
    transformForBoot(root, undefined, times);
    const timeOf = (path: string) => {
      const { mtimeSeconds, mtimeNanoseconds } = lookupPath(root, bytes(path))?.metadata ?? {};
      return [mtimeSeconds, mtimeNanoseconds];
    };
    assert.deepEqual(
      [timeOf("/boot"), timeOf("/sysroot")],
      [
        [9n, bootNanoseconds],
        [9n, sysrootNanoseconds],
      ],
      times,
    );
    assert.deepEqual(names(root), ["d /boot", "d /run", "d /sysroot", "d /usr"]);
  }
});

test("transformForBoot() copies the whole time by default", () => {
  const [root, expected] = [bootable(), bootable()];
  transformForBoot(root, undefined);
  transformForBoot(expected, undefined, "full");
  assert.deepEqual(formatDump(root), formatDump(expected));
});

test("transformForBoot() takes labels away when the image has no policy", () => {
  const root = bootable();
  root.metadata.xattrs = new Map([[bytes("security.selinux"), Buffer.from("x")]]);
  transformForBoot(root, undefined);
  assert.equal(root.metadata.xattrs.size, 0);
});

test("transformForBoot() needs /boot and /sysroot", () => {
  const root = bootable();
  root.entries.delete(bytes("sysroot"));
  assert.throws(() => transformForBoot(root, undefined), {
    code: "unsupported",
    message: 'Cannot make the root file system: Directory entry "sysroot" does not exist',
  });
});

/** A tree with a policy of these lines. */
function labelled(contexts: string, subs = ""): DirectoryNode {
  const shared = file("shared");
  const root = bootable();
  root.entries.set(bytes("a"), directory({ one: shared, same: shared }));
  root.entries.set(bytes("b"), directory({ two: shared, three: shared }));
  const files = directory({ file_contexts: file(contexts), "file_contexts.subs": file(subs) });
  const selinux = directory({
    config: file("SELINUXTYPE=t\n"),
    t: directory({ contexts: directory({ files }) }),
  });
  root.entries.set(bytes("etc"), directory({ selinux }));
  transformForBoot(root, readSelinuxPolicy(root, contentReader(new Map())));
  return root;
}

function labelAt(root: DirectoryNode, path: string): string | undefined {
  const label = lookupPath(root, bytes(path))?.metadata.xattrs.get(bytes("security.selinux"));
  return label === undefined ? undefined : Buffer.from(label).toString();
}

test("transformForBoot() gives each name with another label its own inode", () => {
  const root = labelled("/a/.* A\n/b/.* B\n");
  const at = (path: string) => lookupPath(root, bytes(path));
  assert.equal(at("/a/one"), at("/a/same"));
  assert.notEqual(at("/a/one"), at("/b/two"));
  assert.notEqual(at("/b/two"), at("/b/three"));
  assert.deepEqual([labelAt(root, "/a/one"), labelAt(root, "/b/two"), labelAt(root, "/b/three")], ["A", "B", "B"]);
  assert.equal(labelAt(root, "/usr"), undefined);
});

test("transformForBoot() chains substitutions while it descends", () => {
  const root = labelled("/x/.* X\n/y Y\n", "/b /a\n/a/two /y\n");
  assert.equal(labelAt(root, "/b/two"), "Y");
  assert.equal(labelAt(root, "/b/three"), undefined);
});

test("readSelinuxPolicy() wants the files that the configuration names", () => {
  const config = (text: string) => directory({ etc: directory({ selinux: directory({ config: file(text) }) }) }, {});
  const read = (root: DirectoryNode) => readSelinuxPolicy(root, contentReader(new Map()));
  assert.equal(read(config("#SELINUXTYPE=x\nSELINUX=off\n")), undefined);
  assert.equal(read(directory()), undefined);
  assert.throws(() => read(config(" selinuxtype = mls \n")), {
    code: "corrupt",
    message: "Cannot read the image's SELinux policy: /etc/selinux/mls/contexts/files/file_contexts does not exist",
  });
  const linked = directory({ etc: directory({ selinux: directory({ config: symlink("/dev/null") }) }) });
  assert.throws(() => read(linked), {
    code: "unsupported",
    message: /"\/etc\/selinux\/config" is not a regular file$/,
  });
});
