/** Sections of SBAT: merged as ukify merges them, read as shim reads them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  buildUki,
  checkSbatText,
  findSection,
  parsePe,
  parseSbatLevel,
  readUki,
  sbatEntries,
  sbatOf,
  sbatTextOf,
  sectionContent,
  signPe,
  tooOldFor,
  type UkiInput,
  verifyPe,
} from "../../src/pe/index.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { failsWith } from "./keys.ts";
import { syntheticKernel, syntheticPe, syntheticStub } from "./synthetic-pe.ts";

const HEADER = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";
const STUB = "stub,1,A,stub,1,https://a\n";
const UKI = "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n";

const input = (changes: Partial<UkiInput> = {}): UkiInput => ({
  stub: syntheticStub(),
  osRelease: Buffer.from("ID=test\n"),
  commandLine: "quiet",
  kernelRelease: "6.12",
  kernel: syntheticKernel(),
  ...changes,
});

/** A kernel whose section of SBAT has this. */
function kernelWith(sbat: string): Buffer {
  return syntheticPe([
    { name: ".setup", content: Buffer.alloc(3000, 0x90) },
    { name: ".sbat", content: Buffer.from(sbat) },
  ]);
}

function sectionOf(uki: Uint8Array): string {
  const image = parsePe(uki);
  const section = findSection(image, ".sbat");
  assert.ok(section);
  return Buffer.from(sectionContent(image, section)).toString();
}

test("a UKI has the lines of stub, kernel and ukify, or of what was given, below one line of SBAT itself", () => {
  assert.equal(sectionOf(buildUki(input())), `${HEADER}${STUB}${UKI}\0`);
  const kernel = kernelWith(`${HEADER}linux,1,L,linux,6.12,https://k\n`);
  assert.equal(sectionOf(buildUki(input({ kernel }))), `${HEADER}${STUB}linux,1,L,linux,6.12,https://k\n${UKI}\0`);
  const texts = ["sbat,1,X,sbat,1,https://x\nmine,3,M,m,1,https://m\n", `${HEADER}\r\nother,1,O,o,1,https://o`];
  const given = `${HEADER}${STUB}mine,3,M,m,1,https://m\nother,1,O,o,1,https://o\n\0`;
  assert.equal(sectionOf(buildUki(input({ sbat: texts }))), given);
  // As ukify: what does not begin as SBAT does is left out.
  assert.equal(
    sectionOf(buildUki(input({ kernel: kernelWith("linux,1,L,l,1,https://k\n") }))),
    `${HEADER}${STUB}${UKI}\0`,
  );
});

test("a stub without such a section gets one", () => {
  const magic = Buffer.from("#### LoaderInfo: systemd-stub 257.13-1 ####\0");
  const stub = syntheticPe([{ name: ".sdmagic", content: magic }]);
  assert.equal(sectionOf(buildUki(input({ stub }))), `${HEADER}${UKI}\0`);
});

test("lines for which the stub has no room come last, and the release takes their place", async () => {
  const long = `mine,1,${"M".repeat(1500)},m,1,https://m\n`;
  const plain = parsePe(buildUki(input()));
  const moved = parsePe(buildUki(input({ sbat: [HEADER + long] })), "moved");
  assert.equal(sectionOf(moved.bytes), `${HEADER}${STUB}${long}\0`);
  const names = (image: typeof plain) => image.sections.map(({ name }) => name);
  assert.deepEqual(names(plain), [".text", ".sbat", ".sdmagic", ".osrel", ".cmdline", ".uname", ".linux"]);
  assert.deepEqual(names(moved), [".text", ".uname", ".sdmagic", ".osrel", ".cmdline", ".linux", ".sbat"]);
  assert.equal(readUki(moved.bytes).kernelRelease, "6.12");
  const [place, before] = [moved, plain].map(({ sections }) => sections[1]);
  assert.equal(place?.virtualAddress, before?.virtualAddress);
  // Nothing is left of the old lines.
  assert.equal(Buffer.from(moved.bytes).toString("latin1").split("SBAT Version").length, 2);
  const { signer } = await temporaryKeys("moving");
  await verifyPe(await signPe(moved.bytes, signer), [signer.certificateDer]);
  const release = "6".repeat(513);
  assert.throws(
    () => buildUki(input({ kernelRelease: release, sbat: [HEADER + long] })),
    failsWith("unsupported", /^Cannot put section \.uname in the place of \.sbat: it has 513 bytes$/),
  );
  assert.equal(readUki(buildUki(input({ kernelRelease: release }))).kernelRelease, release);
});

test("texts that shim could not read are refused", () => {
  checkSbatText(HEADER, "it");
  checkSbatText(sbatTextOf("uki.me", 65_535, "me"), "it");
  const wrong = [
    "",
    "\n",
    "uki,1,UKI,uki,1,https://x\n",
    `${HEADER}short,1,x\n`,
    `${HEADER}a,1,,a,1,https://a\n`,
    `${HEADER}a,0,A,a,1,https://a\n`,
    `${HEADER}a,65536,A,a,1,https://a\n`,
    `${HEADER}a,x,A,a,1,https://a\n`,
    `${HEADER}a,1,A,a,1,https://a,more\n`,
    `${HEADER}a,1,Ä,a,1,https://a\n`,
  ];
  for (const text of wrong)
    assert.throws(() => checkSbatText(text, "it"), failsWith("usage", /^Cannot use it: /), text);
});

test("a section is read as shim reads it", () => {
  const read = (text: string) => sbatOf(parsePe(syntheticPe([{ name: ".sbat", content: Buffer.from(text) }])));
  assert.deepEqual(read(`\u{feff}${HEADER}\r\n\r\na,2x,A,a,1,https://a\0b,x,B,b,1,https://b,more\n\0`), [
    { component: "sbat", generation: 1, line: HEADER.trimEnd() },
    { component: "a", generation: 2, line: "a,2x,A,a,1,https://a" },
    { component: "b", generation: 0, line: "b,x,B,b,1,https://b,more" },
  ]);
  assert.throws(() => read(`${HEADER}a,2\n`), failsWith("corrupt", /a line has less than six columns/));
  assert.throws(() => read(`${HEADER}a,2,,a,1,https://a\n`), failsWith("corrupt", /a line has less than six columns/));
  assert.deepEqual(read("\0\0"), []);
  assert.equal(sbatOf(parsePe(syntheticKernel())), undefined);
  assert.deepEqual(sbatEntries(`${HEADER}${UKI}`), [{ component: "uki", generation: 1, line: UKI.trimEnd() }]);
});

test("what is older than the level is told; of a component that is there twice the first counts", () => {
  const level = parseSbatLevel(Buffer.from("sbat,1,2026113000\nuki,1\nmine,3\nmine,9\n\0"), "level");
  assert.equal(level.date, "2026113000");
  const judged = (lines: string) => tooOldFor(sbatEntries(HEADER + lines), level);
  assert.equal(judged(`${UKI}mine,3,M,m,1,https://m\n`), undefined);
  assert.equal(judged("others,0,M,m,1,https://m\n"), undefined);
  const line = "mine,2,M,m,1,https://m";
  assert.deepEqual(judged(`${UKI}${line}\n`), { entry: { component: "mine", generation: 2, line }, least: 3 });
  for (const text of ["", "uki,1\n", "sbat\nuki,1\n", "sbat,1\nuki\n"]) {
    assert.throws(() => parseSbatLevel(Buffer.from(text), "level"), failsWith("corrupt", /^Cannot read level: /), text);
  }
});
