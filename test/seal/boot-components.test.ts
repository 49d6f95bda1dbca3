import assert from "node:assert/strict";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { architectureOf } from "../../src/seal/architecture.ts";
import { findBootComponents } from "../../src/seal/boot-components.ts";
import { applyLayerEntry, newDirectory, newMetadata, TreeFiles } from "../../src/tree/index.ts";

/** An image of empty files at these paths; a path that ends in a slash is a directory. */
function image(...paths: string[]): TreeFiles {
  const root = newDirectory();
  const made = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/").filter((part) => part !== "");
    parts.forEach((_, index) => {
      const here = `/${parts.slice(0, index + 1).join("/")}`;
      if (made.has(here)) return;
      made.add(here);
      const isFile = index === parts.length - 1 && !path.endsWith("/");
      const node = isFile
        ? ({
            kind: "file",
            metadata: newMetadata(),
            content: { type: "inline", bytes: Buffer.from(here) },
          } as const)
        : newDirectory();
      applyLayerEntry(root, { type: "inode", path: byteStringOfText(here), node });
    });
  }
  return new TreeFiles(root, () => new Uint8Array());
}

const COMPLETE = [
  "/boot/",
  "/sysroot/",
  "/usr/lib/os-release",
  "/usr/lib/modules/6.12.1/vmlinuz",
  "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
  "/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
];

test("findBootComponents() finds kernel, loader and stub of a bootable image", () => {
  const found = findBootComponents(image(...COMPLETE), architectureOf("amd64"));
  assert.deepEqual(found, {
    kernelRelease: "6.12.1",
    kernelPath: "/usr/lib/modules/6.12.1/vmlinuz",
    initramfsPath: undefined,
    companionPaths: [],
    loaderPath: "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
    stubPath: "/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
    osReleasePath: "/usr/lib/os-release",
  });
  const withInitramfs = image(...COMPLETE, "/usr/lib/modules/6.12.1/initramfs.img");
  assert.equal(
    findBootComponents(withInitramfs, architectureOf("amd64")).initramfsPath,
    "/usr/lib/modules/6.12.1/initramfs.img",
  );
});

test("findBootComponents() takes the kernel's checksum for FIPS mode along, and nothing else beside it", () => {
  const beside = [".vmlinuz.hmac", "config", "System.map", "symvers.xz", ".vmlinuz.hmac.old", "modules.dep"];
  const files = image(...COMPLETE, ...beside.map((name) => `/usr/lib/modules/6.12.1/${name}`));
  assert.deepEqual(findBootComponents(files, architectureOf("amd64")).companionPaths, [
    "/usr/lib/modules/6.12.1/.vmlinuz.hmac",
  ]);
});

test("findBootComponents() names what is missing, one line each, with the way out", () => {
  const cases: [string[], RegExp, string][] = [
    [[], /no directory \/usr$/, "unsupported"],
    [COMPLETE.filter((path) => path !== "/boot/"), /no directory \/boot$/, "unsupported"],
    [COMPLETE.filter((path) => path !== "/sysroot/"), /no directory \/sysroot$/, "unsupported"],
    [COMPLETE.filter((path) => !path.includes("vmlinuz")), /no kernel in \/usr\/lib\/modules/, "unsupported"],
    [COMPLETE.filter((path) => !path.includes("bootx64")), /no systemd-boot \(/, "unsupported"],
    [COMPLETE.filter((path) => !path.includes("stub")), /no systemd EFI stub/, "unsupported"],
    [[...COMPLETE, "/boot/EFI/Linux/x.efi"], /sealed already \(\/boot\/EFI\/Linux\/x\.efi\)$/, "conflict"],
    [[...COMPLETE, "/boot/aboot-6.12.img"], /Android image \(\/boot\/aboot-6\.12\.img\)$/, "unsupported"],
    [[...COMPLETE, "/usr/lib/modules/7/vmlinuz"], /2 kernels \(6\.12\.1, 7\)$/, "conflict"],
  ];
  for (const [paths, message, code] of cases) {
    assert.throws(
      () => findBootComponents(image(...paths), architectureOf("amd64")),
      (error: SealrootError) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        assert.equal(error.code, code);
        assert.ok(error.data.hint, error.message);
        return true;
      },
    );
  }
});

test("an architecture without a UEFI boot chain is refused by name", () => {
  assert.throws(
    () => architectureOf("s390x"),
    (error: SealrootError) =>
      error.code === "unsupported" &&
      error.message === 'Cannot seal an image for "s390x": the boot chain needs amd64 or arm64',
  );
});
