/** The sealed Debian example under test, and booting it. */
import assert from "node:assert/strict";
import { makeSealedDisk } from "../../examples/debian/sealed-disk.ts";
import { GLOBAL_VARIABLE_VENDOR } from "../../src/efi/index.ts";
import { silent } from "../../src/events/index.ts";
import { loadCertificates, type OwnedCertificates } from "../../src/keys/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { firstBroken, type LinkName, NO_POLICY, reportLines, verify } from "../../src/verify/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { startVirtualMachine, type VirtualMachine, type VirtualMachineOptions } from "../../src/vm/index.ts";
import { DiskCopy } from "./disk-copy.ts";

export interface SealedExample {
  /** Never written to. */
  readonly diskPath: string;
  readonly keysDirectory: string;
  readonly secureBoot: OwnedCertificates;
  /** The 128 hex digits in the UKI's command line. */
  readonly deploymentId: string;
  readonly commandLine: string;
  /** The UKI's path in the ESP. */
  readonly ukiPath: string;
  /** The layout directory of the image before sealing. */
  readonly imageDirectory: string;
  /** `oci:DIRECTORY:TAG` of the sealed image, and the digest of its manifest. */
  readonly sealedReference: string;
  readonly manifestDigest: string;
}

/** For a whole boot: 25 s on an idle machine, many times that on one whose two processors ten others want too. */
export const BOOT_TIMEOUT_MS = 600_000;

export const LOADER_PATH = "EFI/BOOT/BOOTX64.EFI";
const UKI_DIRECTORY = "EFI/Linux/bootc";

/** OVMF about a boot loader that it refuses (spec/boot-chain.md C, "Results"). */
export const LOADER_REFUSED = [/failed to load Boot\d+ .*: Access Denied/];

/** Lines that show that a system was started which should not have been. */
const STARTED = /the root is composefs:|systemd\[1\]|Welcome to|login:/;

/** The example, made by the same functions as `./just build-sealed`, or taken from an earlier run. */
export async function sealedExample(): Promise<SealedExample> {
  const made = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
  const { diskPath, keysDirectory, image, sealedReference, manifestDigest } = made;
  const disk = await DiskCopy.make(diskPath);
  try {
    const names = (await disk.listEsp(UKI_DIRECTORY)).filter((name) => name.endsWith(".efi"));
    assert.equal(names.length, 1, "the example has one deployment");
    const ukiPath = `${UKI_DIRECTORY}/${names[0]}`;
    const commandLine = readUki(await disk.readEsp(ukiPath)).commandLine ?? "";
    const deploymentId = /(?:^| )composefs=([0-9a-f]{128})(?: |$)/.exec(commandLine)?.[1] ?? "";
    assert.notEqual(deploymentId, "", `no deployment in "${commandLine}"`);
    const secureBoot = loadCertificates(keysDirectory);
    const paths = { diskPath, keysDirectory, ukiPath, imageDirectory: image.directory, sealedReference };
    return { ...paths, manifestDigest, secureBoot, deploymentId, commandLine };
  } finally {
    await disk.remove();
  }
}

/** Where the repository on the disk keeps an object. */
export function objectPath(objectId: string): string {
  return `/composefs/objects/${objectId.slice(0, 2)}/${objectId.slice(2)}`;
}

/** The object of a file of the image, found by its content. `path` has no leading slash. */
export async function objectPathOf(example: SealedExample, path: string): Promise<string> {
  return objectPath(verityDigest(await imageFile(example, path), "sha512"));
}

/** A file of the image before sealing. `path` has no leading slash. */
export async function imageFile(example: SealedExample, path: string): Promise<Buffer> {
  const { stdout } = await runTool("sh", [
    "-c",
    'cd "$1" && for blob in blobs/sha256/*; do tar -xzOf "$blob" "./$2" 2>/dev/null && exit; done; exit 1',
    "sh",
    example.imageDirectory,
    path,
  ]);
  return stdout;
}

/**
 * Boots a disk with the example's keys enrolled. One processor: the test runner starts two machines at a time, and
 * emulation of several processors suffers most when they do not run at the same time.
 */
export function bootSealed(
  example: Pick<SealedExample, "secureBoot">,
  diskPath: string,
  options: Partial<VirtualMachineOptions> = {},
): Promise<VirtualMachine> {
  return startVirtualMachine({ drives: [{ path: diskPath }], secureBoot: example.secureBoot, cpus: 1, ...options });
}

/** Runs shell text that must succeed, and returns its output without the final line end. */
export async function guestText(guest: VirtualMachine, script: string, timeoutMs?: number): Promise<string> {
  const { exitCode, stdout, stderr } = await guest.run(script, timeoutMs);
  assert.equal(exitCode, 0, `${script}\n${stdout}\n${stderr}`);
  return stdout.toString().trimEnd();
}

/** Shell text that prints a global EFI variable's value, without its four attribute bytes, in hexadecimal. */
export function efiVariableHex(name: string): string {
  const path = `/sys/firmware/efi/efivars/${name}-${GLOBAL_VARIABLE_VENDOR}`;
  return `cat ${path} | tail -c +5 | od -An -tx1 | tr -d ' \\n'`;
}

/** FS_IOC_MEASURE_VERITY (linux/fsverity.h) by perl, which every Debian has; prints the digest. */
export const MEASURE = `measure() {
  perl -e 'open F, "<", $ARGV[0] or die; $d = pack("SSx64", 0, 64); ioctl(F, 0xc0046686, $d) or die "$!\\n";
    print unpack("H*", substr $d, 4, unpack("xxS", $d))' "$1"
}
`;

/**
 * systemd's verdict once the boot has come to an end, `running` when every unit is well. On a busy machine it may not
 * answer within systemctl's own limit; `unknown` is no verdict, and it is asked again.
 */
export async function systemState(guest: VirtualMachine): Promise<string> {
  const ask = "state=$(systemctl is-system-running --wait); [ $state != unknown ]";
  const { stdout } = await guest.run(`until ${ask}; do sleep 1; done; echo $state`, BOOT_TIMEOUT_MS);
  return stdout.toString().trim();
}

/** Damage to a copy of the disk, the link at which `verify` names it, and what the machine says that boots it. */
export interface Attack {
  damage(disk: DiskCopy): Promise<void>;
  /** The first broken one; undefined where nothing on the disk is wrong, but something of the machine. */
  readonly link: LinkName | undefined;
  /** Lines of the console, in this order. */
  readonly signs: readonly RegExp[];
  /** The machine has no keys yet, and enrols those of the disk. */
  readonly isInSetupMode?: boolean;
  readonly machine?: Partial<VirtualMachineOptions>;
  /** Beside the damaged disk. */
  readonly moreDrives?: VirtualMachineOptions["drives"];
}

/** Asserts that `verify` names the attack at its link, that the console shows its signs, and that no system was started. */
export async function assertRefused(example: SealedExample, attack: Attack): Promise<void> {
  const { link, signs, isInSetupMode = false, machine, moreDrives = [] } = attack;
  const disk = await DiskCopy.make(example.diskPath);
  try {
    await attack.damage(disk);
    const report = await verify(disk.path, { keys: undefined, policy: NO_POLICY, events: silent });
    assert.equal(firstBroken(report.links)?.link.name, link, [...reportLines(report)].join("\n"));
    const drives = [{ path: disk.path }, ...moreDrives];
    const firmware = isInSetupMode ? { reboots: true } : { secureBoot: example.secureBoot };
    const guest = await startVirtualMachine({ drives, agent: false, cpus: 1, ...firmware, ...machine });
    try {
      for (const sign of signs) await guest.waitForConsole(sign, BOOT_TIMEOUT_MS);
      assert.doesNotMatch(guest.consoleText, STARTED);
    } finally {
      await guest.stop();
    }
  } finally {
    await disk.remove();
  }
}
