import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { boundedUnpackers } from "../../../src/bootimage/initramfs-archives.ts";
import { type CpioEntry, readCpio, walkInitramfs } from "../../../src/cpio/index.ts";
import { checkBootNeeds, checkInterpreter } from "../../../src/seal/initramfs/boot-needs.ts";
import { buildInitramfsExtension, buildMinimalInitramfs } from "../../../src/seal/initramfs/index.ts";
import { filesOfDirectory } from "./directory-files.ts";
import { MODULE_BYTES, madeImage, RELEASE, SEALED_ROOT } from "./made-image.ts";

const mount = (version: string) => Buffer.from(`\x7fELF\0%s from %s (libmount %s\0util-linux ${version}\0`);

test("a kernel and a mount that can boot are taken, and told which of them takes a loop device", () => {
  assert.deepEqual(checkBootNeeds("6.12.57+deb13-amd64", mount("2.41")), {});
  assert.deepEqual(checkBootNeeds("7.0.1", mount("3.0.2")), {});
  assert.deepEqual(checkBootNeeds("6.8.0-45-generic", mount("2.39.3")), { loopFor: "kernel 6.8.0-45-generic" });
  assert.deepEqual(checkBootNeeds("6.11.4", mount("2.41")), { loopFor: "kernel 6.11.4" });
  assert.deepEqual(checkBootNeeds("6.18.4", mount("2.38.1")), { loopFor: "util-linux 2.38.1" });
  assert.deepEqual(checkBootNeeds("6.12.0-55.el10", mount("2.40.2")), { loopFor: "util-linux 2.40.2" });
});

test("those that are too old are refused with their versions and the ones that are needed", () => {
  const cases = [
    ["6.1.0-40-amd64", "2.41", "kernel 6.1.0-40-amd64", "Linux 6.6, whose overlayfs demands fs-verity"],
    ["5.14.0-570.el9", "2.37.4", "kernel 5.14.0-570.el9", "Linux 6.6, whose overlayfs demands fs-verity"],
    ["6.12.1", "2.36.1", "util-linux 2.36.1", "util-linux 2.38"],
  ] as const;
  for (const [release, version, actual, expected] of cases) {
    assert.throws(() => checkBootNeeds(release, mount(version)), {
      code: "unsupported",
      message: `Cannot build the initramfs: the image has ${actual}, but the boot program needs ${expected}`,
    });
  }
  assert.throws(() => checkBootNeeds("6.12.1", Buffer.from("BusyBox v1.37.0")), {
    message: /the image has a mount program of its own, but the boot program needs that of util-linux$/,
  });
});

test("the interpreter is QuickJS of a version in which the boot program runs", () => {
  for (const version of ["2024-01-13", "2025-04-26", "2031-01-01"]) {
    checkInterpreter("/usr/bin/qjs", Buffer.from(`\x7fELF\0QuickJS version ${version}\nusage: qjs`));
  }
  const cases = [
    ["QuickJS version 2021-03-27\n", "QuickJS version 2021-03-27"],
    ["QuickJS-ng version %s\n", "QuickJS-ng"],
    ["QuickJS version %s\n", "QuickJS version"],
    ["busybox", "another program"],
    ["", "another program"],
  ] as const;
  for (const [text, actual] of cases) {
    assert.throws(() => checkInterpreter("/usr/bin/qjs", Buffer.from(text)), {
      code: "unsupported",
      message: "Cannot build the initramfs: /usr/bin/qjs is not QuickJS 2024-01-13 or later",
      data: {
        path: "/usr/bin/qjs",
        expected: "QuickJS version 2024-01-13 or later (bellard.org/quickjs)",
        actual,
        hint: "give a static one with --boot-program, or install the package of a newer distribution in the image",
      },
    });
  }
});

let image: Awaited<ReturnType<typeof madeImage>>;
/** The image's mount, one byte to a character. */
let mountProgram: string;
before(async () => {
  image = await madeImage();
  mountProgram = readFileSync(join(image.root, "usr/bin/mount"), "latin1");
});
after(() => image.remove());

/** The image as it is with another mount(8) and other loop devices. */
async function bothKinds(mountVersion: string, modulesDep: string, builtIn: string) {
  const folder = `usr/lib/modules/${RELEASE}`;
  const dep = readFileSync(join(image.root, folder, "modules.dep"), "utf8");
  const replaced = new Map<string, string>([
    [`/${folder}/modules.dep`, dep + modulesDep],
    [`/${folder}/modules.builtin`, builtIn],
  ]);
  // Of the same length, so that the program stays one.
  const other = mountProgram.replaceAll(/util-linux \d+\.\d+[0-9.]*/g, (text) =>
    `util-linux ${mountVersion}`.slice(0, text.length).padEnd(text.length, "\0"),
  );
  writeFileSync(join(image.root, "usr/bin/mount"), other, "latin1");
  const files = filesOfDirectory(image.root, replaced);
  const options = { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT };
  const minimal = readCpio(await buildMinimalInitramfs(files, options)).entries;
  const extension = await buildInitramfsExtension(files, { ...options, kind: "systemd" });
  return [minimal, [...walkInitramfs(extension, boundedUnpackers())].flatMap(({ entries }) => entries)];
}

const LOOP_DEP = "kernel/drivers/block/loop.ko:\n";
const BASE = "usr/lib/sealroot";

function textAt(entries: readonly CpioEntry[], path: string): string | undefined {
  const entry = entries.find((one) => one.path === path);
  return entry?.kind === "file" ? Buffer.from(entry.bytes).toString() : undefined;
}

test("both kinds of initramfs load the loop device when mount needs one, and tell the boot program", async () => {
  writeFileSync(join(image.root, `usr/lib/modules/${RELEASE}/kernel/drivers/block/loop.ko`), MODULE_BYTES);
  for (const entries of await bothKinds("2.38", LOOP_DEP, "")) {
    assert.match(textAt(entries, `${BASE}/modules/${RELEASE}/order`) ?? "", /overlay\.ko\nloop\.ko\n$/);
    assert.equal(textAt(entries, `${BASE}/loop`), "");
  }
  for (const entries of await bothKinds("2.38", "", "kernel/drivers/block/loop.ko\n")) {
    assert.doesNotMatch(textAt(entries, `${BASE}/modules/${RELEASE}/order`) ?? "", /loop/);
    assert.equal(textAt(entries, `${BASE}/loop`), "");
  }
  for (const entries of await bothKinds("2.41", LOOP_DEP, "")) {
    assert.doesNotMatch(textAt(entries, `${BASE}/modules/${RELEASE}/order`) ?? "", /loop/);
    assert.equal(textAt(entries, `${BASE}/loop`), undefined);
  }
});

test("a kernel without a loop device that is needed is refused with both ways out", async () => {
  await assert.rejects(bothKinds("2.38", "", ""), {
    code: "unsupported",
    message: `Cannot build the initramfs: kernel ${RELEASE} has no loop device, which util-linux 2.38 needs to mount the root image`,
    data: {
      expected: "CONFIG_BLK_DEV_LOOP, or Linux 6.12 with util-linux 2.41",
      hint: "build the image with a kernel that has the module loop, or of a newer distribution",
    },
  });
});
