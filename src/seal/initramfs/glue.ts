/** The files that make another initramfs run our boot program, by its kind (spec/boot-chain.md G). */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { CpioEntry } from "../../cpio/index.ts";
import { file, link, withDirectories } from "./layout.ts";

const PROJECT_FOLDER = new URL("../../../initramfs/", import.meta.url);
const UNITS = "usr/lib/systemd/system";

async function projectFile(path: string): Promise<Uint8Array> {
  return readFile(fileURLToPath(new URL(path, PROJECT_FOLDER)));
}

/**
 * What stops a systemd initrd from giving anybody a shell, from using extensions of the EFI system partition
 * (systemd-stub(7)) and from switching to another root, and stops bootc's program from running beside ours. Units that
 * a release of systemd does not have are named too: their drop-ins are inert.
 */
const DROP_INS = {
  "emergency.service": "systemd/refuse.conf",
  "rescue.service": "systemd/refuse.conf",
  "dracut-emergency.service": "systemd/refuse.conf",
  "debug-shell.service": "systemd/left-out.conf",
  "breakpoint-pre-udev.service": "systemd/left-out.conf",
  "breakpoint-pre-basic.service": "systemd/left-out.conf",
  "breakpoint-pre-mount.service": "systemd/left-out.conf",
  "breakpoint-pre-switch-root.service": "systemd/left-out.conf",
  "systemd-sysext.service": "systemd/left-out.conf",
  "systemd-sysext-initrd.service": "systemd/left-out.conf",
  "systemd-confext.service": "systemd/left-out.conf",
  "systemd-confext-initrd.service": "systemd/left-out.conf",
  "bootc-root-setup.service": "systemd/left-out.conf",
  "initrd-switch-root.service": "systemd/sealed-root-first.conf",
} as const;

/**
 * Entries for an initramfs whose init is systemd. Only our own directories are named: those above may be links in the
 * base.
 */
async function systemdGlue(): Promise<CpioEntry[]> {
  const wanted = `${UNITS}/initrd-root-fs.target.requires`;
  const entries: CpioEntry[] = [
    file(`${UNITS}/sealroot.service`, await projectFile("systemd/sealroot.service")),
    ...withDirectories([link(`${wanted}/sealroot.service`, "../sealroot.service")], wanted),
  ];
  for (const [unit, source] of Object.entries(DROP_INS)) {
    const folder = `${UNITS}/${unit}.d`;
    entries.push(...withDirectories([file(`${folder}/sealroot.conf`, await projectFile(source))], folder));
  }
  return entries;
}

/** Entries for an initramfs of initramfs-tools. */
async function initramfsToolsGlue(): Promise<CpioEntry[]> {
  return [
    file("conf/conf.d/zz-sealroot", await projectFile("initramfs-tools/conf")),
    file("scripts/sealroot", await projectFile("initramfs-tools/script")),
  ];
}

export async function glueEntries(kind: "systemd" | "initramfs-tools"): Promise<CpioEntry[]> {
  return kind === "systemd" ? systemdGlue() : initramfsToolsGlue();
}
