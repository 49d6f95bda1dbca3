import assert from "node:assert/strict";
import { test } from "node:test";
import { ARCHITECTURES, findUnsealedContents, sealableArchitecture } from "../../src/bootimage/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import type { TreeFiles } from "../../src/tree/index.ts";
import { type TreeItem, treeOf } from "../tree/tree-of.ts";

/** An image of empty files at these paths, and of other items; a path that ends in a slash is a directory. */
function image(paths: readonly string[], others: Readonly<Record<string, TreeItem>> = {}): TreeFiles {
  const items = paths.map((path) => [path, path.endsWith("/") ? undefined : path] as const);
  return treeOf({ ...Object.fromEntries(items), ...others });
}

const COMPLETE = [
  "/boot/",
  "/sysroot/",
  "/usr/lib/os-release",
  "/usr/lib/modules/6.12.1/vmlinuz",
  "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
  "/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
];

test("findUnsealedContents() finds kernel, loader and stub of a bootable image", () => {
  const found = findUnsealedContents(image(COMPLETE), ARCHITECTURES.amd64);
  assert.deepEqual(found, {
    kernelRelease: "6.12.1",
    kernelPath: "/usr/lib/modules/6.12.1/vmlinuz",
    initramfsPath: undefined,
    companionPaths: [],
    loaderPath: "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
    stubPath: "/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
    osReleasePath: "/usr/lib/os-release",
    otherKernelFolders: [],
  });
  const withInitramfs = image([...COMPLETE, "/usr/lib/modules/6.12.1/initramfs.img"]);
  assert.equal(
    findUnsealedContents(withInitramfs, ARCHITECTURES.amd64).initramfsPath,
    "/usr/lib/modules/6.12.1/initramfs.img",
  );
});

test("findUnsealedContents() takes the kernel's checksum for FIPS mode along, and nothing else beside it", () => {
  const beside = [".vmlinuz.hmac", "config", "System.map", "symvers.xz", ".vmlinuz.hmac.old", "modules.dep"];
  const files = image([...COMPLETE, ...beside.map((name) => `/usr/lib/modules/6.12.1/${name}`)]);
  assert.deepEqual(findUnsealedContents(files, ARCHITECTURES.amd64).companionPaths, [
    "/usr/lib/modules/6.12.1/.vmlinuz.hmac",
  ]);
});

test("findUnsealedContents() names what is missing, one line each, with the way out", () => {
  const cases: [string[], RegExp, string][] = [
    [[], /no directory \/usr$/, "unsupported"],
    [COMPLETE.filter((path) => path !== "/boot/"), /no directory \/boot$/, "unsupported"],
    [COMPLETE.filter((path) => path !== "/sysroot/"), /no directory \/sysroot$/, "unsupported"],
    [COMPLETE.filter((path) => !path.includes("vmlinuz")), /no kernel in \/usr\/lib\/modules/, "unsupported"],
    [COMPLETE.filter((path) => !path.includes("bootx64")), /no systemd-boot \(/, "unsupported"],
    [COMPLETE.filter((path) => !path.includes("stub")), /no systemd EFI stub/, "unsupported"],
    [[...COMPLETE, "/boot/EFI/Linux/x.efi"], /already sealed \(\/boot\/EFI\/Linux\/x\.efi\)$/, "conflict"],
    [[...COMPLETE, "/boot/aboot-6.12.img"], /Android image \(\/boot\/aboot-6\.12\.img\)$/, "unsupported"],
    [[...COMPLETE, "/usr/lib/modules/7/vmlinuz"], /2 kernels \(6\.12\.1, 7\)$/, "conflict"],
  ];
  for (const [paths, message, code] of cases) {
    assert.throws(
      () => findUnsealedContents(image(paths), ARCHITECTURES.amd64),
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
    () => sealableArchitecture("s390x"),
    (error: SealrootError) =>
      error.code === "unsupported" &&
      error.message === 'Cannot seal an image for "s390x": the boot chain needs amd64 or arm64',
  );
});

const KERNELS = "/usr/lib/modules";

test("links beside the kernels' folders are passed over, as bootc does", () => {
  const links = {
    [`${KERNELS}/current`]: { link: "6.12.1" },
    [`${KERNELS}/gone`]: { link: "6.1.0" },
    [`${KERNELS}/loop`]: { link: "loop" },
    [`${KERNELS}/notes`]: "a file",
  };
  const found = findUnsealedContents(image(COMPLETE, links), ARCHITECTURES.amd64);
  assert.equal(found.kernelPath, `${KERNELS}/6.12.1/vmlinuz`);
});

test("something else in the place of a part is not taken for its absence", () => {
  const kernel = `${KERNELS}/6.12.1`;
  const without = (...unwanted: string[]) => COMPLETE.filter((path) => !unwanted.some((part) => path.startsWith(part)));
  const cases: readonly (readonly [string[], Readonly<Record<string, TreeItem>>, string])[] = [
    [COMPLETE, { "/boot/EFI/Linux": "a file" }, "/boot/EFI/Linux in the image: it is a file, not a directory"],
    [COMPLETE, { "/boot/EFI": { link: "../nowhere" } }, "/boot/EFI in the image: it is a symbolic link to nothing"],
    [
      COMPLETE,
      { "/boot/EFI/Linux/x.efi": { link: "y" } },
      "/boot/EFI/Linux/x.efi in the image: it is a symbolic link to nothing",
    ],
    [without("/boot"), { "/boot": "a file" }, "/boot in the image: it is a file, not a directory"],
    [without(KERNELS), { [KERNELS]: "a file" }, `${KERNELS} in the image: it is a file, not a directory`],
    [
      without(kernel),
      { [`${kernel}/vmlinuz/`]: undefined },
      `${kernel}/vmlinuz in the image: it is a directory, not a file`,
    ],
    [
      without(kernel),
      { [`${kernel}/vmlinuz`]: { link: "/boot/vmlinuz" } },
      `${kernel}/vmlinuz in the image: it is a symbolic link to nothing`,
    ],
    [
      COMPLETE,
      { [`${kernel}/initramfs.img/`]: undefined },
      `${kernel}/initramfs.img in the image: it is a directory, not a file`,
    ],
    [
      without("/usr/lib/systemd"),
      { "/usr/lib/systemd/boot": { link: "none" } },
      "/usr/lib/systemd/boot in the image: it is a symbolic link to nothing",
    ],
  ];
  for (const [paths, others, message] of cases) {
    assert.throws(() => findUnsealedContents(image(paths, others), ARCHITECTURES.amd64), {
      code: "unsupported",
      message: `Cannot use ${message}`,
    });
  }
});

test("a UKI anywhere that install would find it makes the image a sealed one", () => {
  for (const path of ["/boot/EFI/Linux/deep/er/x.efi", `${KERNELS}/6.12.1/6.12.1.efi`, `${KERNELS}/other/y.efi`]) {
    assert.throws(() => findUnsealedContents(image([...COMPLETE, path]), ARCHITECTURES.amd64), {
      code: "conflict",
      message: `Cannot seal the image: it is already sealed (${path})`,
    });
  }
  // An add-on, and what only looks like a UKI.
  const others = ["/boot/EFI/Linux/x.addon.efi", "/boot/EFI/Linux/y.efi.extra.d/z.addon.efi", "/boot/EFI/Linux/readme"];
  findUnsealedContents(image([...COMPLETE, ...others]), ARCHITECTURES.amd64);
});

test("loader and stub that are given from outside need not be in the image", () => {
  const bare = image(COMPLETE.filter((path) => !path.includes("/systemd/")));
  findUnsealedContents(bare, ARCHITECTURES.amd64, { loader: true, stub: true });
  assert.throws(() => findUnsealedContents(bare, ARCHITECTURES.amd64, { loader: true, stub: false }), /EFI stub/);
});
