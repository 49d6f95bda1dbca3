import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import {
  addSections,
  buildUki,
  findSection,
  kernelRelease,
  parsePe,
  readUki,
  sectionContent,
  systemdComponentOf,
  type UkiInput,
} from "../../src/pe/index.ts";
import { systemdFile } from "./boot-files.ts";
import { failsWith } from "./keys.ts";
import { syntheticKernel, syntheticPe, syntheticStub } from "./synthetic-pe.ts";

const INPUT: UkiInput = {
  stub: syntheticStub(),
  osRelease: Buffer.from("ID=test\nVERSION_ID=1\n"),
  commandLine: "composefs=00ff rw quiet",
  kernelRelease: "6.12.107-test",
  kernel: syntheticKernel(),
  initramfs: Buffer.alloc(1234, 0x70),
};

const RICH_INPUT: UkiInput = {
  ...INPUT,
  splash: Buffer.from("BM-splash"),
  deviceTree: Buffer.from("dtb"),
  microcode: Buffer.from("ucode"),
  pcrPublicKey: Buffer.from("-----BEGIN PUBLIC KEY-----\n"),
};

test("buildUki() gives the bytes of ukify 257", () => {
  // Made by ukify 257.13-1~deb13u1 from the same inputs with `--sbat 'sbat,1,X,sbat,1,https://x'`.
  const ukify = gunzipSync(readFileSync(new URL("vectors/ukify-257.efi.gz", import.meta.url)));
  assert.deepEqual(Buffer.from(buildUki({ ...RICH_INPUT, sbat: ["sbat,1,X,sbat,1,https://x"] })), ukify);
});

test("buildUki() is deterministic and leaves its inputs alone", () => {
  const stub = Buffer.from(INPUT.stub);
  assert.deepEqual(buildUki(INPUT), buildUki(INPUT));
  assert.deepEqual(INPUT.stub, stub);
});

test("readUki() finds what buildUki() put in", () => {
  const uki = readUki(buildUki(RICH_INPUT));
  assert.equal(uki.architecture, "x64");
  assert.equal(uki.commandLine, RICH_INPUT.commandLine);
  assert.equal(uki.kernelRelease, RICH_INPUT.kernelRelease);
  assert.deepEqual(Buffer.from(uki.kernel), RICH_INPUT.kernel);
  assert.deepEqual(Buffer.from(uki.osRelease ?? []), RICH_INPUT.osRelease);
  assert.deepEqual(Buffer.from(uki.initramfs ?? []), RICH_INPUT.initramfs);
  assert.deepEqual(Buffer.from(uki.deviceTree ?? []), RICH_INPUT.deviceTree);
  const optional = parsePe(buildUki({ ...INPUT, initramfs: Buffer.from("x") })).sections.map(({ name }) => name);
  assert.deepEqual(optional, [".text", ".sbat", ".sdmagic", ".osrel", ".cmdline", ".uname", ".linux", ".initrd"]);
});

test("buildUki() works on Debian's stub, which has no room for lines of SBAT: its sections stay, its symbol table goes", () => {
  const stub = systemdFile("linuxx64.efi.stub");
  const before = parsePe(stub);
  const after = parsePe(buildUki({ ...INPUT, stub }));
  const text = (image: typeof before, name: string) => {
    const section = findSection(image, name);
    assert.ok(section, name);
    return Buffer.from(sectionContent(image, section)).toString();
  };
  for (const section of before.sections.filter(({ name }) => name !== ".sbat")) {
    const kept = findSection(after, section.name);
    assert.ok(kept);
    assert.deepEqual(kept, section);
    assert.ok(Buffer.from(sectionContent(after, kept)).equals(sectionContent(before, section)), section.name);
  }
  const line = "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n";
  assert.equal(text(after, ".sbat"), `${text(before, ".sbat").replace(/\0*$/, "")}${line}\0`);
  assert.equal(text(after, ".uname"), INPUT.kernelRelease);
  assert.equal(after.sectionsEnd, after.bytes.length);
  const added = after.sections.slice(before.sections.length);
  assert.deepEqual(
    added.map(({ name, characteristics }) => [name, characteristics]),
    [
      [".osrel", 0x40000040],
      [".cmdline", 0x40000040],
      [".linux", 0x40000020],
      [".initrd", 0x40000040],
      [".sbat", 0x40000040],
    ],
  );
  for (const { rawOffset, virtualAddress } of added) {
    assert.equal(rawOffset % after.fileAlignment, 0);
    assert.equal(virtualAddress % after.sectionAlignment, 0);
  }
});

test("buildUki() refuses parts that do not belong together", () => {
  const cases: readonly [name: string, input: Partial<UkiInput>, code: string, message: RegExp][] = [
    [
      "kernel of another machine",
      { kernel: syntheticKernel({ machine: 0xaa64 }) },
      "conflict",
      /kernel is for aa64, systemd-stub for x64/,
    ],
    ["kernel without EFI stub", { kernel: Buffer.from("\x1f\x8b gzip") }, "unsupported", /kernel has no EFI stub/],
    ["newline in the command line", { commandLine: "a\nb" }, "usage", /command line holds a NUL or line break/],
    ["NUL in the release", { kernelRelease: "6\0" }, "usage", /kernel release holds a NUL or line break/],
    ["empty initramfs", { initramfs: new Uint8Array(0) }, "usage", /section "\.initrd" of 0 bytes/],
    ["no stub", { stub: Buffer.from("MZ") }, "corrupt", /^Cannot parse systemd-stub: /],
    [
      "stub with trailing bytes",
      { stub: Buffer.concat([INPUT.stub, Buffer.alloc(16)]) },
      "corrupt",
      /16 unknown bytes at its end/,
    ],
    ["UKI as stub", { stub: buildUki(INPUT) }, "conflict", /section \.osrel to the stub: it already has one/],
    ["no room for headers", { stub: syntheticStub({ sizeOfHeaders: 512 }) }, "unsupported", /have no room for 8/],
  ];
  for (const [name, change, code, message] of cases) {
    assert.throws(() => buildUki({ ...INPUT, ...change }), failsWith(code, message), name);
  }
});

test("addSections() refuses names that do not fit", () => {
  for (const name of ["", ".toolongname", ".ümlaut"]) {
    assert.throws(() => addSections(INPUT.stub, [{ name, content: Buffer.from("x") }]), failsWith("usage", /section/));
  }
  assert.throws(() => addSections(INPUT.stub, []), failsWith("usage", /none given/));
});

test("readUki() names what is wrong", () => {
  assert.throws(
    () => readUki(syntheticStub(), "a.efi"),
    failsWith("corrupt", /^Cannot read a\.efi: it has no \.linux section/),
  );
  const notText = syntheticPe([
    { name: ".linux", content: Buffer.from("k") },
    { name: ".cmdline", content: Buffer.from([0xff, 0xfe]) },
  ]);
  assert.throws(() => readUki(notText), failsWith("corrupt", /\.cmdline: it is not UTF-8 text/));
});

test("readUki() drops the NUL and newline other builders end texts with", () => {
  const image = syntheticPe([
    { name: ".linux", content: Buffer.from("k") },
    { name: ".cmdline", content: Buffer.from("quiet\n\0") },
  ]);
  assert.equal(readUki(image).commandLine, "quiet");
});

test("kernelRelease() is the first word of the version text", () => {
  assert.equal(kernelRelease(syntheticKernel()), "6.12.107-test");
  assert.throws(() => kernelRelease(syntheticStub()), failsWith("unsupported", /not an x86 bzImage/));
  assert.throws(() => kernelRelease(new Uint8Array(10)), failsWith("unsupported", /not an x86 bzImage/));
  const noText = syntheticKernel();
  noText.writeUInt16LE(0xffff, 0x20e);
  assert.throws(() => kernelRelease(noText), failsWith("corrupt", /no version text/));
});

test("systemdComponentOf() tells loader and stub apart and reads their version", () => {
  assert.deepEqual(systemdComponentOf(parsePe(syntheticStub())), {
    component: "systemd-stub",
    version: "257.13-1",
    majorVersion: 257,
  });
  assert.equal(systemdComponentOf(parsePe(systemdFile("systemd-bootx64.efi")))?.component, "systemd-boot");
  assert.equal(systemdComponentOf(parsePe(systemdFile("linuxx64.efi.stub")))?.component, "systemd-stub");
  assert.equal(systemdComponentOf(parsePe(syntheticKernel())), undefined);
});
