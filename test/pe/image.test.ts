import assert from "node:assert/strict";
import { test } from "node:test";
import { findSection, parsePe, sectionContent } from "../../src/pe/index.ts";
import { systemdFile } from "./boot-files.ts";
import { failsWith } from "./keys.ts";
import {
  CERTIFICATE_DIRECTORY_OFFSET,
  OPTIONAL_OFFSET,
  PE_OFFSET,
  SECTION_TABLE_OFFSET,
  syntheticPe,
  syntheticStub,
} from "./synthetic-pe.ts";

function changed(image: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(image);
  change(copy);
  return copy;
}

test("parsePe() reads every field of a small image", () => {
  const image = parsePe(syntheticStub());
  assert.equal(image.architecture, "x64");
  assert.equal(image.sizeOfHeaders, 1024);
  assert.equal(image.sectionsEnd, 3072);
  assert.equal(image.unsignedEnd, 3072);
  assert.equal(image.certificateDirectoryOffset, CERTIFICATE_DIRECTORY_OFFSET);
  assert.deepEqual(image.sections[0], {
    name: ".text",
    virtualSizeBytes: 700,
    virtualAddress: 4096,
    rawSizeBytes: 1024,
    rawOffset: 1024,
    characteristics: 0x60000020,
  });
  assert.deepEqual(
    image.sections.map(({ name, rawOffset }) => [name, rawOffset]),
    [
      [".text", 1024],
      [".sbat", 2048],
      [".sdmagic", 2560],
    ],
  );
});

test("parsePe() reads systemd-boot and systemd-stub of Debian", () => {
  for (const name of ["linuxx64.efi.stub", "systemd-bootx64.efi"] as const) {
    const image = parsePe(systemdFile(name));
    assert.equal(image.architecture, "x64");
    const names = image.sections.map((section) => section.name);
    for (const wanted of [".text", ".data", ".sbat", ".sdmagic"]) assert.ok(names.includes(wanted), wanted);
  }
});

test("sectionContent() gives VirtualSize bytes, and no more than the file holds, as for the kernel in a UKI of ukify 258", () => {
  const content = Buffer.from("composefs=00");
  const image = parsePe(syntheticPe([{ name: ".cmdline", content }]));
  const section = findSection(image, ".cmdline");
  assert.ok(section);
  assert.deepEqual(Buffer.from(sectionContent(image, section)), content);
  const longer = parsePe(syntheticPe([{ name: ".cmdline", content, virtualSize: 600 }]));
  const cut = findSection(longer, ".cmdline");
  assert.ok(cut);
  assert.deepEqual(Buffer.from(sectionContent(longer, cut)), Buffer.concat([content], 512));
});

test("findSection() refuses a name that occurs twice", () => {
  const twice = syntheticPe([
    { name: ".cmdline", content: Buffer.from("good") },
    { name: ".cmdline", content: Buffer.from("evil") },
  ]);
  assert.throws(() => findSection(parsePe(twice), ".cmdline"), failsWith("unsupported", /2 sections \.cmdline/));
  assert.equal(findSection(parsePe(twice), ".linux"), undefined);
});

test("parsePe() refuses headers that lie", () => {
  const stub = syntheticStub();
  const section = (index: number, field: number) => SECTION_TABLE_OFFSET + index * 40 + field;
  const cases: readonly [name: string, image: Buffer, code: string, message: RegExp][] = [
    ["empty file", Buffer.alloc(0), "corrupt", /does not begin with an MZ header/],
    ["ELF file", Buffer.from("\x7fELF".padEnd(400, "\0")), "corrupt", /does not begin with an MZ header/],
    ["PE header past the end", changed(stub, (b) => b.writeUInt32LE(0xfffffff0, 0x3c)), "corrupt", /no PE header/],
    ["no PE magic", changed(stub, (b) => b.writeUInt8(0, PE_OFFSET)), "corrupt", /no PE header/],
    ["PE32", syntheticStub({ magic: 0x10b }), "unsupported", /32-bit image/],
    ["unknown magic", syntheticStub({ magic: 0x107 }), "corrupt", /optional header magic 0x107/],
    ["unknown machine", syntheticStub({ machine: 0x1c4 }), "unsupported", /machine type 0x1c4 is not known/],
    ["short optional header", changed(stub, (b) => b.writeUInt16LE(96, PE_OFFSET + 20)), "corrupt", /optional header/],
    ["4 directories", changed(stub, (b) => b.writeUInt32LE(4, OPTIONAL_OFFSET + 108)), "corrupt", /4 data directories/],
    ["17 directories", changed(stub, (b) => b.writeUInt32LE(17, OPTIONAL_OFFSET + 108)), "corrupt", /17 data/],
    ["alignment 0", changed(stub, (b) => b.writeUInt32LE(0, OPTIONAL_OFFSET + 36)), "corrupt", /alignment 0/],
    ["alignment 3", changed(stub, (b) => b.writeUInt32LE(3, OPTIONAL_OFFSET + 32)), "corrupt", /alignment 3/],
    ["97 sections", changed(stub, (b) => b.writeUInt16LE(97, PE_OFFSET + 6)), "corrupt", /97 sections/],
    ["table past headers", changed(stub, (b) => b.writeUInt16LE(20, PE_OFFSET + 6)), "corrupt", /20 sections/],
    ["section past the end", changed(stub, (b) => b.writeUInt32LE(9999, section(2, 16))), "corrupt", /\.sdmagic/],
    ["section in headers", changed(stub, (b) => b.writeUInt32LE(512, section(0, 20))), "corrupt", /\.text at file/],
    ["sections share bytes", changed(stub, (b) => b.writeUInt32LE(2048, section(2, 20))), "corrupt", /at file offset/],
    ["sections share memory", changed(stub, (b) => b.writeUInt32LE(4097, section(1, 12))), "corrupt", /at address/],
    ["section past 4 GiB", changed(stub, (b) => b.writeUInt32LE(0xffffffff, section(2, 12))), "corrupt", /at address/],
    [
      "certificates inside",
      changed(stub, (b) => b.writeUInt32LE(8, CERTIFICATE_DIRECTORY_OFFSET)),
      "corrupt",
      /table at 8/,
    ],
  ];
  for (const [name, image, code, message] of cases) {
    assert.throws(() => parsePe(image), failsWith(code, message), name);
  }
});

test("parsePe() refuses an image cut anywhere", () => {
  const stub = syntheticStub();
  for (let length = 0; length < stub.length; length++) {
    assert.throws(
      () => parsePe(stub.subarray(0, length)),
      failsWith("corrupt", /^Cannot parse PE image: /),
      `${length}`,
    );
  }
});
