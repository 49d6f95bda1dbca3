/** Small images of other shapes than the usual one, as layouts: what differs is put into the root of a sealable image. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { type CpioEntry, writeCpio } from "../../src/cpio/index.ts";
import { ELF_MACHINE, writeStaticProgram } from "../../src/elf/index.ts";
import { loaderImage, peImage, stubImage } from "../bootloader/pe-fixture.ts";
import { QUICKJS_TEXT, RELEASE } from "./initramfs/made-image.ts";
import { kernelImage, writeLayout } from "./sealable-image.ts";

/** The second kernel of {@link twoKernels}. */
export const OTHER_RELEASE = "7.0.0-other";
export const MODULES = `usr/lib/modules/${RELEASE}`;

/** Changes the root of an image; paths are given without a leading slash. */
export type Change = (at: (path: string) => string) => unknown;

/** Writes a file and the directories above it. */
export function putFile(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/**
 * A layout `NAME` in `directory`, of a copy of `root` after `change`.
 * @returns its reference, with the tag `plain`
 */
export async function madeShape(
  root: string,
  directory: string,
  name: string,
  change: Change,
  architecture: "amd64" | "arm64" = "amd64",
): Promise<string> {
  const copy = join(directory, `${name}-root`);
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
  await change((path) => join(copy, path));
  const words = ["--owner=0", "--group=0", "--mtime=@1600000000"];
  const reference = await writeLayout(copy, join(directory, name), { words, architecture });
  rmSync(copy, { recursive: true });
  return reference;
}

export const twoKernels: Change = (at) => {
  const folder = at(`usr/lib/modules/${OTHER_RELEASE}`);
  cpSync(at(MODULES), folder, { recursive: true });
  writeFileSync(join(folder, "vmlinuz"), kernelImage(OTHER_RELEASE));
  writeFileSync(join(folder, "initramfs.img"), "of the other");
};

export const withoutQuickJs: Change = (at) => rmSync(at("usr/bin/qjs"));

/** A program that nothing starts, static, and for all that looks at it QuickJS. */
export function staticQuickJs(machine: number = ELF_MACHINE.x86_64): Uint8Array {
  return writeStaticProgram(machine, Buffer.from(QUICKJS_TEXT));
}

/** As dracut makes it, as far as it is looked at. */
export const DRACUT_INITRAMFS = zstdCompressSync(
  writeCpio([
    {
      kind: "symlink",
      path: byteStringOfText("init"),
      mode: 0o777,
      target: byteStringOfText("usr/lib/systemd/systemd"),
    },
    emptyFile("usr/lib/initrd-release"),
    emptyFile(`${MODULES}/a.ko`),
  ]),
);

function emptyFile(path: string): CpioEntry {
  return { kind: "file", path: byteStringOfText(path), mode: 0o644, bytes: new Uint8Array() };
}

export const withDracut: Change = (at) => putFile(at(`${MODULES}/initramfs.img`), DRACUT_INITRAMFS);

/** Programs, loader, stub and kernel for arm64: to be written for that architecture. */
export const forArm64: Change = (at) => {
  const program = (text: string) => writeStaticProgram(ELF_MACHINE.aarch64, Buffer.from(text));
  const efi = "usr/lib/systemd/boot/efi";
  for (const name of ["bin/sh", "bin/umount", "sbin/blkid", "sbin/switch_root"])
    putFile(at(`usr/${name}`), program(name));
  putFile(at("usr/bin/mount"), program("util-linux 2.41"));
  putFile(at("usr/bin/qjs"), staticQuickJs(ELF_MACHINE.aarch64));
  rmSync(at(efi), { recursive: true });
  putFile(at(`${efi}/systemd-bootaa64.efi`), loaderImage("257.13-1", "aa64"));
  putFile(at(`${efi}/linuxaa64.efi.stub`), stubImage("257.13-1", "aa64"));
  putFile(at(`${MODULES}/vmlinuz`), peImage({ ".text": "Linux" }, "aa64"));
};
