import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { refuseBoot } from "../../initramfs/failure.ts";
import { loadKernelModules } from "../../initramfs/kernel-modules.ts";
import { decodeText, encodeText } from "../../initramfs/system.ts";
import { BOOT_TRIES } from "../../src/bls/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { fakeMachine } from "./fake-system.ts";

const COUNT = "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

function efiText(text: string): Uint8Array {
  return Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from(`${text}\0`, "utf16le")]);
}

test("refuseBoot() says what was expected and found, then stops when nobody counts", () => {
  const machine = fakeMachine();
  refuseBoot(
    machine,
    undefined,
    new SealrootError("untrusted", "Cannot use the root image: x", { expected: "a", actual: "b" }),
  );
  assert.deepEqual(machine.log, []);
  assert.deepEqual(machine.reports.slice(0, 3), [
    "failure: Cannot use the root image: x",
    "failure:   expected: a",
    "failure:   found:    b",
  ]);
  assert.match(machine.reports[3] ?? "", /^failure: Stopped: restart and choose another entry/);
});

test("refuseBoot() reboots at once, disks synced, while the boot loader counts", () => {
  const machine = fakeMachine({ [COUNT]: efiText("\\loader\\entries\\os-1+2-1.conf") });
  refuseBoot(machine, undefined, new Error("x"));
  assert.deepEqual(machine.log, [
    "write /proc/sysrq-trigger s",
    "write /proc/sysrq-trigger u",
    "write /proc/sysrq-trigger b",
  ]);
  assert.match(machine.reports.at(-1) ?? "", /Rebooting: the boot loader counts: 2 tries left/);
});

test("the shell around the program has the same rule for a program that broke", () => {
  const init = readFileSync(new URL("../../initramfs/minimal/init", import.meta.url), "utf8");
  const digits = Array.from({ length: BOOT_TRIES }, (_, index) => index + 1).join("");
  assert.ok(init.includes(`*+0-[${digits}].*) echo b > /proc/sysrq-trigger ;;\n    *+0-*) ;;\n    *+*) echo b >`));
});

test("loadKernelModules() loads all modules of the running kernel in one go and reports only real failures", () => {
  const base = "/usr/lib/sealroot/modules/6.12";
  const machine = fakeMachine({
    "/proc/sys/kernel/osrelease": "6.12\n",
    [`${base}/order`]: "a.ko\nb.ko\nc.ko\nd.ko\n",
  });
  machine.answers.set("insmod", () => ({ output: Uint8Array.of(0, 17, 19, 8) }));
  loadKernelModules(machine, "order");
  assert.deepEqual(machine.log, [`insmod ${base}/a.ko ${base}/b.ko ${base}/c.ko ${base}/d.ko`]);
  assert.deepEqual(machine.reports, [`information: module ${base}/d.ko was not loaded: error 8`]);
});

test("loadKernelModules() says when the modules are for another kernel", () => {
  const machine = fakeMachine({ "/proc/sys/kernel/osrelease": "6.13\n", "/usr/lib/sealroot/modules/6.12/order": "" });
  loadKernelModules(machine, "order");
  assert.deepEqual(machine.reports, ["failure: no modules for the running kernel 6.13, only for 6.12"]);
});

test("decodeText() and encodeText() know UTF-8 and do not stumble over other bytes", () => {
  assert.equal(decodeText(Buffer.from("aä€")), "aä€");
  assert.equal(decodeText(Uint8Array.of(0x61, 0xff)), "aÿ");
  assert.deepEqual(Buffer.from(encodeText("a%20ä€…\ud800")), Buffer.from("a%20ä€…\ufffd"));
});
