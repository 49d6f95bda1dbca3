/** A host without seal, made by the words of docs/install.md and booted without keys. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { startVirtualMachine, type VirtualMachine } from "../../src/vm/index.ts";
import { run } from "../cli/run-verb.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { fencedBlocks, readDocument } from "../docs/markdown.ts";
import { BOOT_TIMEOUT_MS, guestText, sealedExample, systemState } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/status.json"), "utf8"));
const OPTIONS = "sealroot.test=1 loglevel=6";

describe("a host without seal", ONLY_IN_WHOLE_SUITE, () => {
  let directory: TemporaryDirectory;
  let guest: VirtualMachine;
  let deploymentId: string;
  const at = (name: string) => join(directory.path, name);

  const start = async () => {
    guest = await startVirtualMachine({ drives: [{ path: at("disk.img"), mode: "persist" }], cpus: 1 });
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
  };

  before(async () => {
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "type1-host" });
    const { imageDirectory } = await sealedExample();
    const [block = "", ...others] = fencedBlocks(readDocument("install.md"), "sh unsealed");
    assert.deepEqual(others, []);
    const [add = "", install = "", boot = "", ...further] = block.trimEnd().split("\n");
    assert.deepEqual([boot, ...further], ["sealroot vm run disk.img"]);
    for (const line of [add, install]) {
      const words = line
        .replaceAll("oci:debian-unsealed", `oci:${at("unsealed")}`)
        .replaceAll("oci:debian", `oci:${imageDirectory}`)
        .replaceAll("disk.img", at("disk.img"))
        .split(" ");
      assert.equal(words[0], "sealroot");
      const { exitCode, out, err } = await run(...words.slice(1), "--insecure-policy");
      assert.equal(exitCode, 0, `${line}\n${err}`);
      deploymentId = /^deployment {2}([0-9a-f]{128})$/m.exec(out)?.[1] ?? deploymentId;
    }
    await start();
  });
  after(async () => {
    await guest?.stop();
    directory?.remove();
  });

  test("boots its image by fs-verity, and the boot program says that nothing is sealed", async () => {
    const root = await guestText(guest, "findmnt -no SOURCE,OPTIONS /");
    assert.match(root, new RegExp(`^composefs:${deploymentId} .*\\bverity=require\\b`));
    const line = await guestText(guest, "cat /proc/cmdline");
    assert.match(line, new RegExp(`composefs\\.digest=v1-sha512-12:${deploymentId} composefs=${deploymentId}( |$)`));
    assert.match(line, / console=ttyS0 /);
    assert.match(
      guest.consoleText,
      new RegExp(`the root is composefs:${deploymentId}, fs-verity required, NOT SEALED`),
    );
  });

  test("status says what it is, in JSON and in words", async () => {
    const document = JSON.parse(await guestText(guest, "sealroot status --json --exit-code"));
    assert.deepEqual(faultsOf(SCHEMA, document), []);
    const { bootDigest, ...composefs } = document.status.booted.composefs;
    assert.match(bootDigest, /^[0-9a-f]{64}$/);
    assert.deepEqual(composefs, {
      bootType: "Bls",
      bootloader: "systemd",
      missingVerityAllowed: false,
      verity: deploymentId,
    });
    const text = await guestText(guest, "sealroot status --format humanreadable");
    assert.match(
      text,
      /^ +Protection: not sealed: whoever can write to the disk decides what boots; fs-verity finds damage$/m,
    );
    const kernel = `/run/esp/EFI/Linux/bootc_composefs-${deploymentId}`;
    const digest = `mkdir -p /run/esp && mount /dev/vda2 /run/esp && cat ${kernel}/vmlinuz ${kernel}/initrd | sha256sum`;
    assert.equal(await guestText(guest, `${digest}; umount /run/esp`), `${bootDigest}  -`);
  });

  test("arguments that were set for a source are there after the next boot", async () => {
    const words = "sealroot loader-entries set-options-for-source --source test";
    const { changed, commandLine } = JSON.parse(await guestText(guest, `${words} --options '${OPTIONS}' --json`));
    assert.equal(changed, true);
    await guest.run("systemctl poweroff --no-block");
    await guest.waitForExit(BOOT_TIMEOUT_MS);
    await guest.stop();
    await start();
    const line = await guestText(guest, "cat /proc/cmdline");
    assert.ok(line.endsWith(commandLine) && line.endsWith(OPTIONS), line);
    assert.match(await guestText(guest, `${words} --options '${OPTIONS}'`), /^No changes needed for source test$/m);
  });
});
