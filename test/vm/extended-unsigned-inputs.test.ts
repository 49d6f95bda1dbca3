/**
 * An extended systemd initramfs under Secure Boot, with everything planted that systemd-stub takes unsigned: the initrd is
 * given all of it, and nothing of it runs.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { type CpioEntry, joinInitramfs, writeCpio } from "../../src/cpio/index.ts";
import { sealedCommandLine } from "../../src/seal/command-line.ts";
import { extendInitramfs } from "../../src/seal/initramfs/index.ts";
import { AGENT_SCRIPT } from "../../src/vm/credentials.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { replaceUki, sealedRootOf } from "./own-uki.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, type SealedExample, sealedExample } from "./sealed-example.ts";
import { stockInitramfs } from "./stock-initramfs.ts";
import { ATTACK_SIGNS, HANDED_ON, plantUnsignedInputs } from "./unsigned-inputs.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const UNITS = "usr/lib/systemd/system";

/** In the base, as if the image's author had put it there: reports what the stub handed on. */
const WITNESS: readonly CpioEntry[] = [
  {
    kind: "file",
    path: byteStringOfText(`${UNITS}/witness.service`),
    mode: 0o644,
    bytes: Buffer.from(`[Unit]
DefaultDependencies=no
Before=initrd-root-fs.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for f in /.extra/*/* /usr/lib/${ATTACK_SIGNS.extension} /etc/${ATTACK_SIGNS.extension}; do [ -e "$f" ] && echo "<5>witness: $f" > /dev/kmsg; done; true'
`),
  },
  { kind: "directory", path: byteStringOfText(`${UNITS}/initrd-root-fs.target.wants`), mode: 0o755 },
  {
    kind: "symlink",
    path: byteStringOfText(`${UNITS}/initrd-root-fs.target.wants/witness.service`),
    mode: 0o777,
    target: byteStringOfText("../witness.service"),
  },
];

const AGENT_UNIT = `[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh /etc/agent
StandardOutput=null
`;

describe("an extended systemd initramfs, with unsigned files on the EFI system partition", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let disk: DiskCopy;
  let guest: VirtualMachine;
  let commandLine: string;
  before(async () => {
    example = await sealedExample();
    disk = await DiskCopy.make(example.diskPath);
    const { kernelRelease, files, read, readKernel } = await stockInitramfs();
    const base = joinInitramfs(await read("dracut"), writeCpio(WITNESS));
    const sealedRoot = await sealedRootOf(example);
    commandLine = sealedCommandLine({
      ...{ images: [`composefs=${example.deploymentId}`], rootUuid: undefined },
      ...{ imageArguments: ["console=ttyS0"], userArguments: [], importsCredentials: false },
    });
    const initramfs = await extendInitramfs(base, files, { kernelRelease, sealedRoot });
    await replaceUki(example, disk, { kernel: await readKernel(), kernelRelease, initramfs, commandLine });
    await plantUnsignedInputs(example, disk);
    // The usual agent comes in by credentials.
    const units = `/state/deploy/${example.deploymentId}/etc/systemd/system`;
    await disk.replace(`/state/deploy/${example.deploymentId}/etc/agent`, Buffer.from(AGENT_SCRIPT), "without-verity");
    await disk.replace(`${units}/agent.service`, Buffer.from(AGENT_UNIT), "without-verity");
    await disk.makeDirectory(`${units}/sysinit.target.wants`);
    await disk.symlink(`${units}/sysinit.target.wants/agent.service`, "../agent.service");
    guest = await bootSealed(example, disk.path);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
  });
  after(async () => {
    await guest?.stop();
    await disk?.remove();
  });

  test("the initrd is given all of it by the stub", async () => {
    assert.match(guest.consoleText, /UEFI Secure Boot is enabled/);
    const handedOn = await guestText(guest, "dmesg | sed -n 's/.*witness: //p' | sort -u");
    assert.deepEqual(handedOn.split("\n"), HANDED_ON);
  });

  test("no credential is taken, in the initrd or later", async () => {
    assert.equal(await guestText(guest, "cat /proc/cmdline"), commandLine);
    assert.match(commandLine, / systemd\.import_credentials=no$/);
    assert.equal(await guestText(guest, `dmesg | grep -c ${ATTACK_SIGNS.log}; true`), "0");
    assert.equal(await guestText(guest, "ls -d /run/attacker /run/credentials/@system 2>/dev/null; true"), "");
    assert.equal(await guestText(guest, "systemctl show -P LoadState evil.service"), "not-found");
  });

  test("no extension image is merged", async () => {
    assert.equal(await guestText(guest, `dmesg | grep -c ${ATTACK_SIGNS.extension}; true`), "0");
    const journal = await guestText(guest, "journalctl -b -o cat -u systemd-sysext.service -u systemd-confext.service");
    assert.match(journal, /unmet condition check \(?ConditionPathExists=!\/usr\/lib\/sealroot/);
  });

  test("the root is the sealed one, with fs-verity required", async () => {
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${example.deploymentId}`);
    assert.match(await guestText(guest, "findmnt -no OPTIONS /"), /^ro,.*verity=require/);
  });
});
