import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BootEntry,
  formatBootEntry,
  optionsOfSources,
  parseBootEntry,
  withOptionsOfSource,
} from "../../src/bls/index.ts";

const entry = (options: string, fields = "") =>
  parseBootEntry(`title T\nversion 1\nlinux /a/vmlinuz\ninitrd /a/initrd\noptions ${options}\nsort-key k\n${fields}`);
const set = (from: BootEntry, name: string, options?: string, owned: readonly string[] = []) =>
  withOptionsOfSource(from, name, options, owned);
const shown = ({ options, otherFields }: BootEntry) => [options, Object.fromEntries(otherFields)];

test("a source's arguments are added, replaced and removed, and its field says which they are", () => {
  const first = set(entry("rw quiet"), "tuned", "isolcpus=1-3 nosmt");
  assert.deepEqual(shown(first), ["rw quiet isolcpus=1-3 nosmt", { "x-options-source-tuned": "isolcpus=1-3 nosmt" }]);
  const second = set(first, "tuned", "  nosmt   hugepages=8 ");
  assert.deepEqual(shown(second), ["rw quiet nosmt hugepages=8", { "x-options-source-tuned": "nosmt hugepages=8" }]);
  for (const nothing of [undefined, "", "  "]) assert.deepEqual(shown(set(second, "tuned", nothing)), ["rw quiet", {}]);
  assert.deepEqual(shown(set(entry("rw"), "tuned", "")), ["rw", {}]);
});

test("an argument that belongs to two stays until both drop it, or the image asks for it", () => {
  const both = set(set(entry("rw quiet"), "a", "x=1 y"), "b", "x=1 z");
  assert.equal(both.options, "rw quiet x=1 y z");
  const one = set(both, "a");
  assert.deepEqual(shown(one), ["rw quiet x=1 z", { "x-options-source-b": "x=1 z" }]);
  assert.equal(set(one, "b").options, "rw quiet");
  const imageToo = set(entry("rw quiet"), "a", "quiet x");
  assert.equal(imageToo.options, "rw quiet x");
  assert.equal(set(imageToo, "a", undefined, ["quiet"]).options, "rw quiet");
});

test("fields of others, and of sources, come through writing and reading", () => {
  const text = formatBootEntry(set(entry("rw", "x-options-source-A_b-1 one\ngrub_users x\n"), "tuned", 'a="b c"'));
  assert.equal(
    text,
    'title T\nversion 1\nlinux /a/vmlinuz\ninitrd /a/initrd\noptions rw a="b c"\nsort-key k\n' +
      'x-options-source-A_b-1 one\ngrub_users x\nx-options-source-tuned a="b c"\n',
  );
  const again = parseBootEntry(text);
  assert.deepEqual(
    [...optionsOfSources(again)],
    [
      ["A_b-1", "one"],
      ["tuned", 'a="b c"'],
    ],
  );
  assert.deepEqual([...optionsOfSources(entry("rw", "x-options-source- a\nx-options-source-b\nx-other c\n"))], []);
});

test("names that are none, and entries of a UKI, are refused", () => {
  for (const name of ["", "a b", "a.b", "ä", "a/b", "../a"]) {
    assert.throws(() => set(entry("rw"), name, "x"), {
      code: "usage",
      message: `Cannot set the options of "${name}": it is not a name of a source`,
    });
  }
  const uki = parseBootEntry("version 1\nuki /EFI/Linux/bootc/x.efi\n");
  assert.throws(() => set(uki, "tuned", "x"), {
    code: "unsupported",
    message: "Cannot set the options of tuned: the command line of a UKI is sealed",
  });
});
