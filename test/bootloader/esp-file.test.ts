/** Files of the ESP: written in folders that may be missing, and removed. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { removeFromEsp, writeEspFile } from "../../src/bootloader/index.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";

let esp: TemporaryDirectory;
beforeEach(() => {
  esp = temporaryDirectory();
});

test("a file is written with the folders it needs, and replaced", () => {
  const path = "EFI/Linux/bootc/a.efi";
  writeEspFile(esp.path, { path, bytes: Buffer.from("first") });
  writeEspFile(esp.path, { path, bytes: Buffer.from("second") });
  writeEspFile(esp.path, { path: "top", bytes: Buffer.from("top") });
  assert.equal(readFileSync(join(esp.path, path), "utf8"), "second");
  assert.deepEqual(readdirSync(join(esp.path, "EFI/Linux/bootc")), ["a.efi"]);
  assert.deepEqual(readdirSync(esp.path).sort(), ["EFI", "top"]);
});

test("what is in the way of a folder is an error that names the file", () => {
  writeFileSync(join(esp.path, "EFI"), "");
  assert.throws(() => writeEspFile(esp.path, { path: "EFI/Linux/a.efi", bytes: Buffer.alloc(1) }), {
    message: /^Cannot write EFI\/Linux\/a\.efi on the ESP: /,
  });
});

test("a file is removed, and a folder with all that is in it; what is absent is an error", () => {
  for (const name of ["a.efi", "a.efi.extra.d/1.addon.efi", "a.efi.extra.d/2.addon.efi", "b.efi"]) {
    writeEspFile(esp.path, { path: `bootc/${name}`, bytes: Buffer.from(name) });
  }
  removeFromEsp(esp.path, "bootc/a.efi");
  removeFromEsp(esp.path, "bootc/a.efi.extra.d");
  assert.deepEqual(readdirSync(join(esp.path, "bootc")), ["b.efi"]);
  assert.throws(() => removeFromEsp(esp.path, "bootc/a.efi"), {
    code: "not-found",
    message: /^Cannot remove bootc\/a\.efi from the ESP: /,
  });
  assert.equal(existsSync(join(esp.path, "bootc/b.efi")), true);
});
