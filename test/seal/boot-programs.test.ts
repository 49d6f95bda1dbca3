import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ARCHITECTURES, findUnsealedContents } from "../../src/bootimage/index.ts";
import { type PinnedProgram, readBootPrograms } from "../../src/seal/boot-programs.ts";
import { loaderImage, peImage, stubImage } from "../bootloader/pe-fixture.ts";
import { systemdFile } from "../pe/boot-files.ts";
import { syntheticKernel } from "../pe/synthetic-pe.ts";
import { type TreeItem, treeOf } from "../tree/tree-of.ts";

const EFI = "/usr/lib/systemd/boot/efi";
const RELEASE = "6.12.107-test";
const LOADER = loaderImage("257.13-1");
const STUB = stubImage("257.13-1");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

interface Changes {
  readonly items?: Readonly<Record<string, TreeItem>>;
  readonly loader?: PinnedProgram;
  readonly stub?: PinnedProgram;
}

async function read({ items = {}, loader, stub }: Changes) {
  const files = treeOf({
    "/boot/": undefined,
    "/sysroot/": undefined,
    "/usr/lib/os-release": "ID=test",
    [`/usr/lib/modules/${RELEASE}/vmlinuz`]: syntheticKernel(),
    ...items,
    ...(items[`${EFI}/systemd-bootx64.efi`] === undefined && { [`${EFI}/systemd-bootx64.efi`]: LOADER }),
    ...(items[`${EFI}/linuxx64.efi.stub`] === undefined && { [`${EFI}/linuxx64.efi.stub`]: STUB }),
  });
  const architecture = ARCHITECTURES.amd64;
  return readBootPrograms(files, findUnsealedContents(files, architecture), architecture, { loader, stub });
}

test("the image's loader and stub are named by version and digest", async () => {
  const { loader, stub } = await read({});
  assert.deepEqual([loader.version, loader.sha256], ["257.13-1", sha256(LOADER)]);
  assert.deepEqual([stub.version, stub.sha256], ["257.13-1", sha256(STUB)]);
});

test("what Debian ships is accepted", async () => {
  const items = {
    [`${EFI}/systemd-bootx64.efi`]: systemdFile("systemd-bootx64.efi"),
    [`${EFI}/linuxx64.efi.stub`]: systemdFile("linuxx64.efi.stub"),
  };
  const { loader, stub } = await read({ items });
  assert.match(loader.version, /^\d+\./);
  assert.equal(stub.version, loader.version);
});

test("a loader or stub that is something else is refused, from the image or given", async () => {
  const loaderPath = `${EFI}/systemd-bootx64.efi`;
  const stubPath = `${EFI}/linuxx64.efi.stub`;
  const file = (path: string, bytes: Uint8Array): PinnedProgram => ({ type: "file", path, bytes });
  const cases: readonly (readonly [Changes, string, RegExp])[] = [
    [
      { items: { [loaderPath]: "#!/bin/sh\n" } },
      "corrupt",
      /^Cannot parse \/usr\/lib\/systemd.*: it does not begin with an MZ header$/,
    ],
    [{ items: { [loaderPath]: STUB } }, "unsupported", /systemd-bootx64\.efi is not systemd-boot$/],
    [
      { items: { [loaderPath]: peImage({ ".text": "grub" }) } },
      "unsupported",
      /systemd-bootx64\.efi is not systemd-boot$/,
    ],
    [
      { items: { [loaderPath]: loaderImage("257", "aa64") } },
      "conflict",
      /systemd-bootx64\.efi is for aa64, the image for amd64/,
    ],
    [{ items: { [stubPath]: LOADER } }, "unsupported", /linuxx64\.efi\.stub is not the systemd EFI stub$/],
    [
      { items: { [stubPath]: peImage({ ".text": "stub" }) } },
      "unsupported",
      /linuxx64\.efi\.stub is not the systemd EFI stub$/,
    ],
    [{ items: { [stubPath]: stubImage("257", "aa64") } }, "conflict", /linuxx64\.efi\.stub is for aa64/],
    [
      { loader: file("evil.efi", peImage({ ".text": "shell" })) },
      "unsupported",
      /^Cannot seal the image: evil\.efi is not systemd-boot$/,
    ],
    [{ loader: file("evil.efi", Buffer.from("MZ")) }, "corrupt", /evil\.efi/],
    [
      { stub: file("evil.stub", LOADER) },
      "unsupported",
      /^Cannot seal the image: evil\.stub is not the systemd EFI stub$/,
    ],
  ];
  for (const [changes, code, message] of cases) await assert.rejects(read(changes), { code, message });
});

test("a pinned program is the one that is used, or nothing is", async () => {
  const other = loaderImage("256.9");
  const given = await read({ loader: { type: "file", path: "other.efi", bytes: other } });
  assert.deepEqual(given.loader, { bytes: other, version: "256.9", sha256: sha256(other) });
  const pins = {
    loader: { type: "sha256", hex: sha256(LOADER) },
    stub: { type: "sha256", hex: sha256(STUB) },
  } as const;
  assert.equal((await read(pins)).loader.sha256, sha256(LOADER));
  await assert.rejects(read({ ...pins, stub: { type: "sha256", hex: "0".repeat(64) } }), {
    code: "conflict",
    message: `Cannot seal the image: its systemd-stub (${EFI}/linuxx64.efi.stub) is not the pinned one`,
  });
});

test("a kernel for another architecture, or of another release, is refused", async () => {
  const path = `/usr/lib/modules/${RELEASE}/vmlinuz`;
  await assert.rejects(read({ items: { [path]: syntheticKernel({ machine: 0xaa64 }) } }), {
    code: "conflict",
    message: /vmlinuz is for aa64, the image for amd64 \(x64\)$/,
  });
});
