/** GRUB's menu as a store of boot entries: staged beside the live one, switched in one step, others' entries kept. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatBootEntry, ukiEntry } from "../../src/bls/index.ts";
import { openEntryStore } from "../../src/bootloader/index.ts";
import { GRUB_PROLOGUE, menuBlock } from "../host/bootc/boot-texts.ts";

const [A, B, C] = ["a", "b", "c"].map((digit) => digit.repeat(128)) as [string, string, string];
const blockOf = (id: string) => menuBlock("Test OS 1.0", id, `/EFI/Linux/bootc/bootc_composefs-${id}.efi`);
const FOREIGN = 'menuentry "Other" {\n  chainloader /EFI/other.efi\n}\n';
const newEntry = (id: string) => {
  const entry = ukiEntry({ id: "testos", name: "Test OS", version: "1.0" }, id, "primary", "efi");
  return { fileName: `${id.slice(0, 1)}.conf`, text: formatBootEntry(entry) };
};

function menu(text: string) {
  const path = mkdtempSync(join(tmpdir(), "sealroot-grub-"));
  mkdirSync(join(path, "grub2"));
  const file = join(path, "grub2/user.cfg");
  writeFileSync(file, text);
  const ids = (folder: "live" | "staged") => store.list(folder).entries.map(({ deploymentId }) => deploymentId);
  const store = openEntryStore(path, "grub");
  return { path, file, store, ids, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("staged, then switched: entries that stay keep their bytes, and so does what is not ours", () => {
  // A title of its own, as an older release gave it.
  const own = blockOf(A).replace("Test OS 1.0", "Renamed");
  using host = menu(`${GRUB_PROLOGUE}${own}${blockOf(B)}${FOREIGN}`);
  assert.deepEqual(host.ids("live"), [A, B, undefined]);
  assert.deepEqual([host.store.hasStaged, host.ids("staged")], [false, []]);
  const sizes = host.store.sizesOf([newEntry(C), newEntry(A)]);
  host.store.stage([newEntry(C), newEntry(A)]);
  assert.equal(readFileSync(host.file, "utf8"), `${GRUB_PROLOGUE}${own}${blockOf(B)}${FOREIGN}`);
  assert.deepEqual([host.store.hasStaged, host.ids("staged")], [true, [C, A, undefined]]);
  host.store.activate();
  const after = `${GRUB_PROLOGUE}${blockOf(C)}${own}${FOREIGN}`;
  assert.equal(readFileSync(host.file, "utf8"), after);
  assert.deepEqual(sizes, [{ path: "grub2/user.cfg", bytes: after.length }]);
  assert.deepEqual(readdirSync(join(host.path, "grub2")), ["user.cfg"]);
  assert.throws(() => host.store.activate(), {
    code: "not-found",
    message: "Cannot switch boot entries: none are staged",
  });
});

test("entries are removed, replaced and read by their names", () => {
  using host = menu(`${GRUB_PROLOGUE}${blockOf(A)}${blockOf(B)}${blockOf(A)}${FOREIGN}`);
  const { entries, unusable } = host.store.list("live");
  assert.deepEqual(
    entries.map(({ fileName }) => fileName),
    [`user.cfg:${A}`, `user.cfg:${B}`, "user.cfg:Other"],
  );
  assert.deepEqual(
    unusable.map(({ fileName, error }) => [fileName, error.code, error.message]),
    [[`user.cfg:${A}#2`, "conflict", `Cannot use boot entry user.cfg:${A}#2: another one starts the same deployment`]],
  );
  assert.equal(host.store.read("live", `user.cfg:${A}#2`).toString(), blockOf(A));
  assert.equal(host.store.read("live", "user.cfg:Other").toString(), FOREIGN);
  host.store.remove("live", [`user.cfg:${A}#2`, "user.cfg:gone"]);
  assert.equal(readFileSync(host.file, "utf8"), `${GRUB_PROLOGUE}${blockOf(A)}${blockOf(B)}${FOREIGN}`);
  host.store.replace("live", { ...newEntry(C), fileName: `user.cfg:${A}` });
  assert.deepEqual(host.ids("live"), [C, B, undefined]);
  assert.equal(host.store.assess(`user.cfg:${C}`, "good"), `user.cfg:${C}`);
  for (const act of [
    () => host.store.replace("live", { ...newEntry(C), fileName: "user.cfg:x" }),
    () => host.store.read("staged", "user.cfg:x"),
    () => host.store.assess("user.cfg:x", "good"),
  ]) {
    assert.throws(act, { code: "not-found" });
  }
  host.store.stage([newEntry(A)]);
  host.store.discardStaged();
  assert.equal(existsSync(`${host.file}.staged`), false);
});

test("a menu that cannot be read is one unusable entry; a kernel has no place in it", () => {
  using host = menu('menuentry "x" {\n');
  const { entries, unusable } = host.store.list("live");
  assert.deepEqual(
    [entries, unusable.map(({ fileName, error }) => [fileName, error.code])],
    [[], [["user.cfg", "corrupt"]]],
  );
  assert.equal(host.store.read("live", "user.cfg").toString(), 'menuentry "x" {\n');
  writeFileSync(host.file, "x".repeat((1 << 20) + 1));
  assert.equal(host.store.list("live").unusable[0]?.error.code, "corrupt");
  writeFileSync(host.file, "");
  const kernel = { fileName: "k.conf", text: "title k\nversion 1\nlinux /vmlinuz\noptions composefs=x\n" };
  assert.throws(() => host.store.stage([kernel]), { code: "unsupported" });
});

test("without the menu, and with another boot loader, entries are files", () => {
  using host = menu(blockOf(A));
  assert.deepEqual(openEntryStore(host.path, "systemd-boot").list("live").entries, []);
  rmSync(host.file);
  assert.deepEqual(openEntryStore(host.path, "grub").list("live").entries, []);
});
