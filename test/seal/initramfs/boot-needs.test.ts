import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkBootNeeds } from "../../../src/seal/initramfs/boot-needs.ts";
import { buildInitramfsExtension, buildMinimalInitramfs } from "../../../src/seal/initramfs/index.ts";
import { filesOfDirectory } from "./directory-files.ts";
import { madeImage, RELEASE, SEALED_ROOT } from "./made-image.ts";

const mount = (version: string) => Buffer.from(`\x7fELF\0%s from %s (libmount %s\0util-linux ${version}\0`);
const DIRECT =
  "Linux 6.12 and util-linux 2.41, which mount the root image without a loop device, or loop built into the kernel";

test("kernel and util-linux that can boot are taken, with a loop device or without", () => {
  checkBootNeeds("6.12.57+deb13-amd64", false, mount("2.41"));
  checkBootNeeds("7.0.1", false, mount("3.0.2"));
  checkBootNeeds("6.8.0-45-generic", true, mount("2.39.3"));
  checkBootNeeds("6.18.4", true, mount("2.38.1"));
});

test("those that are too old are refused with their versions and the ones that are needed", () => {
  const cases = [
    ["6.1.0-40-amd64", true, "2.41", "kernel 6.1.0-40-amd64", "Linux 6.6, whose overlayfs demands fs-verity"],
    ["5.14.0-570.el9", true, "2.37.4", "kernel 5.14.0-570.el9", "Linux 6.6, whose overlayfs demands fs-verity"],
    ["6.12.1", true, "2.36.1", "util-linux 2.36.1", "util-linux 2.38"],
    ["6.12.0-55.el10", false, "2.40.2", "kernel 6.12.0-55.el10 and util-linux 2.40.2", DIRECT],
    ["6.11.4", false, "2.41", "kernel 6.11.4 and util-linux 2.41", DIRECT],
  ] as const;
  for (const [release, loopIsBuiltIn, version, actual, expected] of cases) {
    assert.throws(() => checkBootNeeds(release, loopIsBuiltIn, mount(version)), {
      code: "unsupported",
      message: `Cannot build the initramfs: the image has ${actual}, but the boot program needs ${expected}`,
    });
  }
  assert.throws(() => checkBootNeeds("6.12.1", true, Buffer.from("BusyBox v1.37.0")), {
    message: /the image has a mount program of its own, but the boot program needs that of util-linux$/,
  });
});

test("both kinds of initramfs ask", async () => {
  const image = await madeImage();
  try {
    writeFileSync(join(image.root, `usr/lib/modules/${RELEASE}/modules.builtin`), "");
    const files = filesOfDirectory(image.root);
    const options = { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT };
    const isOld = /util-linux 2\.([0-9]|[123][0-9]|40)(\.|,)/;
    const check = async (made: Promise<unknown>) => {
      const said = await made.then(
        () => "made",
        (error: Error) => error.message,
      );
      assert.ok(said === "made" || (isOld.test(said) && said.includes(RELEASE)), said);
      return said;
    };
    const minimal = await check(buildMinimalInitramfs(files, options));
    assert.equal(await check(buildInitramfsExtension(files, { ...options, kind: "systemd" })), minimal);
  } finally {
    image.remove();
  }
});
