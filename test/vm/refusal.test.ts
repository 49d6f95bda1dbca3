import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleLog } from "../../src/vm/console.ts";
import { lastConsoleLine } from "../../src/vm/console-status.ts";
import { RefusalSearch } from "../../src/vm/refusal.ts";

/** What is found in a console that prints `text` in two pieces. */
function refusalOf(text: string) {
  const console = new ConsoleLog();
  const search = new RefusalSearch(console);
  const cut = Math.floor(text.length / 2);
  console.append(Buffer.from(text.slice(0, cut)));
  const early = search.find();
  console.append(Buffer.from(text.slice(cut)));
  return early ?? search.find();
}

test("lines after which nothing comes end a boot, each with its code", () => {
  const cases: [string, string, RegExp][] = [
    [
      'BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x3,0x0): Access Denied\r\n',
      "untrusted",
      /^the firmware refused it: failed to load Boot0001/,
    ],
    ["Error loading \\EFI\\Linux\\bootc\\bootc_composefs-00.efi: Access denied\n", "untrusted", /: Access denied$/],
    ['BdsDxe: failed to start Boot0001 "x": Access Denied\n', "untrusted", /failed to start/],
    ['BdsDxe: failed to load Boot0002 "x": Security Violation\n', "untrusted", /Security Violation/],
    [
      "Error loading \\EFI\\Linux\\bootc\\bootc_composefs-00.efi: Out of resources\n",
      "failed",
      /could not load.*Out of/,
    ],
    [
      'BdsDxe: failed to start Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9): Security Violation\n',
      "failed",
      /found nothing on the disk/,
    ],
    ["BdsDxe: No bootable option or device was found.\n", "failed", /found nothing on the disk/],
    ["[    2.1] sealroot: Stopped: restart and choose another entry\n", "untrusted", /boot program refused/],
    ["[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n", "failed", /Unable to mount root fs$/],
  ];
  for (const [text, code, state] of cases) {
    const refusal = refusalOf(`BdsDxe: loading Boot0001\n${text}`);
    assert.equal(refusal?.code, code, text);
    assert.match(refusal?.state ?? "", state);
  }
});

test("what only looks like one does not", () => {
  for (const text of [
    "BdsDxe: failed to load Boot0001 from PXE: Not Found\n",
    "[FAILED] Failed to start foo.service: Access denied\n",
    "sealroot: Rebooting: the boot loader counts: 2 tries left for this entry\n",
    "Error loading \\EFI\\Linux\\bootc",
    "",
  ]) {
    assert.equal(refusalOf(text), undefined, text);
  }
});

test("lastConsoleLine() reports each last line once, without control sequences", () => {
  const lines: string[] = [];
  const receive = lastConsoleLine((line) => lines.push(line));
  for (const text of ["a", "b\r\n", "\r\n", "\x1b[1;1H\x1b[2Jc\r\n", "c", "\n"]) receive(Buffer.from(text));
  assert.deepEqual(lines, ["a", "ab", "c"]);
});
