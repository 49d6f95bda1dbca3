import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { EntryStore } from "../../src/bootloader/index.ts";

const [A, B] = ["a".repeat(128), "b".repeat(128)];

let boot: string;
beforeEach(() => {
  boot = mkdtempSync(join(tmpdir(), "sealroot-entries-"));
  mkdirSync(join(boot, "loader/entries"), { recursive: true });
});
afterEach(() => rmSync(boot, { recursive: true, force: true }));

const store = () => new EntryStore(boot, "systemd-boot");
const live = (name: string) => join(boot, "loader/entries", name);
const uki = (id: string, sortKey: string) =>
  `title Test\nversion 1\nefi /EFI/Linux/bootc/bootc_composefs-${id}.efi\nsort-key ${sortKey}\n`;
const contents = (folder: string) =>
  Object.fromEntries(
    readdirSync(join(boot, "loader", folder)).map((name) => [
      name,
      readFileSync(join(boot, "loader", folder, name), "latin1"),
    ]),
  );

test("entries are listed as the menu shows them, with their deployments", () => {
  writeFileSync(live("bootc_os-1-0.conf"), uki(A, "bootc-os-1"));
  writeFileSync(live("bootc_os-1-1.conf"), uki(B, "bootc-os-0"));
  writeFileSync(live("windows.CONF"), "version 11\nefi /EFI/Microsoft/Boot/bootmgfw.efi\n");
  writeFileSync(live("old.conf"), `version 1\nlinux /a/vmlinuz\ninitrd /a/initrd\noptions rw composefs=?${A}\n`);
  writeFileSync(live("readme.txt"), "not an entry");
  const { entries, unusable } = store().list("live");
  assert.deepEqual(
    entries.map(({ fileName, deploymentId }) => [fileName, deploymentId]),
    [
      ["bootc_os-1-1.conf", B],
      ["bootc_os-1-0.conf", A],
      ["windows.CONF", undefined],
      ["old.conf", A],
    ],
  );
  assert.deepEqual(unusable, []);
});

test("one bad entry never hides the others", () => {
  writeFileSync(live("good.conf"), uki(A, "x"));
  writeFileSync(live("broken.conf"), "title no version\n");
  writeFileSync(live("twice.conf"), `version 1\nlinux /k\noptions composefs=${A} composefs=${B}\n`);
  writeFileSync(live("huge.conf"), Buffer.alloc((1 << 20) + 1, "#"));
  mkdirSync(live("folder.conf"));
  const { entries, unusable } = store().list("live");
  assert.deepEqual(
    entries.map(({ fileName }) => fileName),
    ["good.conf"],
  );
  assert.deepEqual(
    unusable.map(({ fileName, error }) => [fileName, error.code]),
    [
      ["broken.conf", "corrupt"],
      ["folder.conf", "failed"],
      ["huge.conf", "corrupt"],
      ["twice.conf", "untrusted"],
    ],
  );
});

test("what is absent has no entries, what cannot be listed is an error", () => {
  assert.deepEqual(store().list("staged"), { entries: [], unusable: [] });
  rmSync(join(boot, "loader"), { recursive: true });
  assert.deepEqual(store().list("live"), { entries: [], unusable: [] });
  writeFileSync(join(boot, "loader"), "");
  assert.throws(() => store().list("live"), { code: "not-found", message: /^Cannot list .*entries: ENOTDIR/ });
});

test("the staged set becomes the live one; what is not ours is kept byte for byte", () => {
  writeFileSync(live("bootc_os-1-1.conf"), uki(A, "bootc-os-0"));
  writeFileSync(live("windows.conf"), "version 11\r\nefi /EFI/w.efi\r\n\xff");
  writeFileSync(live("broken.conf"), "\0\x01");
  writeFileSync(live("notes"), "n");
  mkdirSync(join(boot, "loader/entries.staged"));
  writeFileSync(join(boot, "loader/entries.staged/left-over.conf"), "x");
  store().stage([
    { fileName: "bootc_os-2-1.conf", text: uki(B, "bootc-os-0") },
    { fileName: "bootc_os-1-0.conf", text: uki(A, "bootc-os-1") },
  ]);
  const staged = contents("entries.staged");
  assert.deepEqual(Object.keys(staged), [
    "bootc_os-1-0.conf",
    "bootc_os-2-1.conf",
    "broken.conf",
    "notes",
    "windows.conf",
  ]);
  assert.deepEqual(Object.keys(contents("entries")), ["bootc_os-1-1.conf", "broken.conf", "notes", "windows.conf"]);
  assert.equal(store().hasStaged, true);
  store().activate();
  assert.deepEqual(contents("entries"), staged);
  assert.equal(staged["broken.conf"], "\0\x01");
  assert.deepEqual(readdirSync(join(boot, "loader")), ["entries"]);
  assert.equal(store().hasStaged, false);
  assert.deepEqual(
    store()
      .list("live")
      .entries.map(({ deploymentId }) => deploymentId),
    [B, A, undefined],
  );
});

test("nothing staged cannot be activated, and dropping nothing is fine", () => {
  writeFileSync(live("a.conf"), uki(A, "a"));
  assert.throws(() => store().activate(), {
    code: "not-found",
    message: "Cannot switch boot entries: none are staged",
  });
  store().discardStaged();
  assert.deepEqual(Object.keys(contents("entries")), ["a.conf"]);
});

test("names that differ in the counter alone are one entry", () => {
  writeFileSync(live("bootc_os-2-1+2-1.conf"), uki(B, "bootc-os-0"));
  writeFileSync(live("BOOTC_os-2-1.conf"), uki(A, "bootc-os-0"));
  writeFileSync(live("bootc_os-1-0.conf"), uki(A, "bootc-os-1"));
  const { entries, unusable } = store().list("live");
  assert.equal(entries.length, 2);
  assert.equal(unusable.length, 1);
  const [other] = unusable;
  assert.equal(other?.error.code, "conflict");
  assert.match(other?.error.message ?? "", /^Cannot use boot entry .*: .* is the same entry$/);
});

test("a new set replaces entries whatever the boot loader has counted in their names", () => {
  writeFileSync(live("bootc_os-1-1.conf"), uki(A, "bootc-os-0"));
  writeFileSync(live("bootc_os-2-1+0-3.conf"), "not an entry");
  store().stage([
    { fileName: "bootc_os-2-1+3.conf", text: uki(B, "bootc-os-0") },
    { fileName: "bootc_os-1-0.conf", text: uki(A, "bootc-os-1") },
  ]);
  store().activate();
  assert.deepEqual(Object.keys(contents("entries")), ["bootc_os-1-0.conf", "bootc_os-2-1+3.conf"]);
});

test("an entry is marked good or bad whatever its counter is by now", () => {
  writeFileSync(live("bootc_os-2-1+2-1.conf"), uki(B, "bootc-os-0"));
  writeFileSync(live("bootc_os-1-0.conf"), uki(A, "bootc-os-1"));
  const assess = (name: string, assessment: "good" | "indeterminate" | "bad") => [
    store().assess(name, assessment),
    Object.keys(contents("entries")),
  ];
  assert.deepEqual(assess("bootc_os-2-1+3.conf", "indeterminate"), [
    "bootc_os-2-1+2-1.conf",
    ["bootc_os-1-0.conf", "bootc_os-2-1+2-1.conf"],
  ]);
  assert.deepEqual(assess("bootc_os-2-1+3.conf", "bad"), [
    "bootc_os-2-1+0-1.conf",
    ["bootc_os-1-0.conf", "bootc_os-2-1+0-1.conf"],
  ]);
  assert.deepEqual(assess("bootc_os-2-1.conf", "good"), [
    "bootc_os-2-1.conf",
    ["bootc_os-1-0.conf", "bootc_os-2-1.conf"],
  ]);
  assert.deepEqual(assess("bootc_os-2-1.conf", "good")[0], "bootc_os-2-1.conf");
  assert.equal(contents("entries")["bootc_os-2-1.conf"], uki(B, "bootc-os-0"));
  assert.throws(() => store().assess("bootc_os-3-1.conf", "good"), {
    code: "not-found",
    message: "Cannot mark boot entry bootc_os-3-1.conf as good: it does not exist",
  });
});

test("marking an entry never replaces another file", () => {
  writeFileSync(live("bootc_os-2-1+2-1.conf"), uki(B, "bootc-os-0"));
  writeFileSync(live("bootc_os-2-1.conf"), "not an entry");
  assert.throws(() => store().assess("bootc_os-2-1+2-1.conf", "good"), {
    code: "conflict",
    message: "Cannot mark boot entry bootc_os-2-1.conf as good: there is a file bootc_os-2-1.conf already",
  });
  assert.deepEqual(Object.keys(contents("entries")), ["bootc_os-2-1+2-1.conf", "bootc_os-2-1.conf"]);
});

test("what an assessment that a power cut ended left is no obstacle: the entry under both names, or an empty file", () => {
  for (const left of [uki(B, "bootc-os-0"), ""]) {
    writeFileSync(live("bootc_os-2-1+2-1.conf"), uki(B, "bootc-os-0"));
    writeFileSync(live("bootc_os-2-1.conf"), left);
    writeFileSync(live("bootc_os-1-0.conf"), uki(A, "bootc-os-1"));
    assert.equal(store().assess("bootc_os-2-1.conf", "good"), "bootc_os-2-1.conf");
    assert.deepEqual(Object.keys(contents("entries")), ["bootc_os-1-0.conf", "bootc_os-2-1.conf"]);
    assert.equal(contents("entries")["bootc_os-2-1.conf"], uki(B, "bootc-os-0"));
  }
});

test("what was staged and holds something else is set aside, not removed", () => {
  writeFileSync(live("bootc_os-1-1.conf"), uki(A, "bootc-os-0"));
  const staged = join(boot, "loader/entries.staged");
  mkdirSync(join(staged, "folder.conf"), { recursive: true });
  store().stage([{ fileName: "bootc_os-2-1.conf", text: uki(B, "bootc-os-0") }]);
  writeFileSync(join(staged, "\x07\u00ff\x01"), "");
  store().discardStaged();
  const names = readdirSync(join(boot, "loader")).sort();
  assert.equal(names.length, 3, names.join(" "));
  for (const name of names.slice(1)) assert.match(name, /^entries\.lost-[0-9a-f]{8}$/);
  assert.deepEqual(Object.keys(contents("entries")), ["bootc_os-1-1.conf"]);
});

test("a set like the live one can be staged and dropped", () => {
  writeFileSync(live("bootc_os-1-1.conf"), uki(A, "bootc-os-0"));
  store().stage([{ fileName: "bootc_os-1-1.conf", text: uki(A, "bootc-os-0") }]);
  store().activate();
  assert.deepEqual(readdirSync(join(boot, "loader")), ["entries"]);
  assert.deepEqual(Object.keys(contents("entries")), ["bootc_os-1-1.conf"]);
});
