/** GRUB's menu of UKIs: what bootc writes, byte for byte; what else may be in the file; what cannot be read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatGrubMenu,
  type GrubMenuBlock,
  grubMenuBlock,
  labelOfGrubTitle,
  parseGrubMenu,
} from "../../src/bls/index.ts";
import { GRUB_PROLOGUE, menuBlock } from "../host/bootc/boot-texts.ts";

const ID = "ab".repeat(64);
const OTHER = "cd".repeat(64);
const pathOf = (id: string) => `/EFI/Linux/bootc/bootc_composefs-${id}.efi`;
const block = (id: string, label = "Test OS 1.0") => grubMenuBlock(label, id, pathOf(id));
const blocksOf = (text: string) =>
  parseGrubMenu(text).filter((part): part is GrubMenuBlock => typeof part !== "string");

test("a new menu is what bootc writes", () => {
  const expected = [GRUB_PROLOGUE, ID, OTHER].map((part) =>
    part === GRUB_PROLOGUE ? part : menuBlock("Test OS 1.0", part, pathOf(part)),
  );
  assert.equal(formatGrubMenu([block(ID), block(OTHER)], []), expected.join(""));
  assert.deepEqual(blocksOf(expected.join("")), [block(ID), block(OTHER)]);
  assert.equal(labelOfGrubTitle(block(ID)), "Test OS 1.0");
});

test("a title with what GRUB would expand is escaped, and read back", () => {
  const odd = block(ID, 'a "b" $c `d` \\e {f}');
  assert.match(odd.text, /^menuentry "a \\"b\\" \\\$c \\`d\\` \\\\e \{f\}: \(/);
  assert.deepEqual(blocksOf(odd.text), [odd]);
  assert.throws(() => block(ID, "two\nlines"), {
    code: "corrupt",
    message: "Cannot write GRUB's menu: the title of an entry has a line break",
  });
});

test("whatever else is in the file stays, byte for byte, behind the deployments", () => {
  const mine =
    'menuentry "Memory test" --class tool {\n  if [ x = y ]; then { echo "}"; }; fi\n  # }\\}\n  linux16 /memtest\n}   # mine\n';
  const text = `# a note: menuentry "none" {\nset timeout=7\n${menuBlock("Old", OTHER, pathOf(OTHER))}\n${mine}set x=1`;
  const before = parseGrubMenu(text.replace('echo "}"; ', "echo x; "));
  const after = formatGrubMenu([block(ID)], before);
  const kept = `# a note: menuentry "none" {\nset timeout=7\n${mine.replace('echo "}"; ', "echo x; ")}set x=1\n`;
  assert.equal(after, `${GRUB_PROLOGUE}${block(ID).text}${kept}`);
  assert.equal(formatGrubMenu([block(ID)], parseGrubMenu(after)), after);
});

test("entries of other systems name no deployment; names without the prefix are understood", () => {
  const [plain, windows, none] = blocksOf(
    [
      menuBlock("Old", ID, `/EFI/Linux/bootc/${ID}.efi`),
      menuBlock("W", "x", "/EFI/W.efi"),
      'menuentry "n" {\n}\n',
    ].join(""),
  );
  assert.deepEqual([plain?.deploymentId, windows?.deploymentId, none?.deploymentId], [ID, undefined, undefined]);
  assert.deepEqual([windows?.chainloader, none?.chainloader], ["/EFI/W.efi", undefined]);
});

test("what is no menu", () => {
  for (const [text, message] of [
    ["menuentry {\n}\n", "an entry has no title"],
    ['menuentry "" {\n}\n', "an entry has no title"],
    ['menuentry "a" {\n{\n}\n', 'the entry "a" has no end'],
    ['menuentry "a" {\n\\', 'the entry "a" has no end'],
    ['menuentry "a', "an entry has no title"],
  ] as const) {
    assert.throws(() => parseGrubMenu(text, "M"), { code: "corrupt", message: `Cannot read M: ${message}` });
  }
  assert.deepEqual(parseGrubMenu(""), []);
  assert.equal(blocksOf("x".repeat(1 << 20)).length, 0);
  assert.equal(blocksOf(block(ID).text.repeat(2000)).length, 2000);
});
