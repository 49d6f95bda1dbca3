/** OVMF, the UEFI firmware for QEMU: its two files, and a variable store with keys enrolled. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { SealrootError } from "../errors/index.ts";

/** What the machine boots from: firmware code (never written) and its own variable store. */
export interface FirmwareFiles {
  readonly codePath: string;
  readonly variablesPath: string;
}

/**
 * Builds that enforce Secure Boot, with their blank variable stores, where distributions put them. The plain
 * `OVMF_CODE_4M.fd` is left out on purpose: Debian 13's boots tampered images (boot-chain.md C, "Which OVMF").
 */
const CANDIDATES = [
  { code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", variables: "/usr/share/OVMF/OVMF_VARS_4M.fd" },
  { code: "/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", variables: "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
  { code: "/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd", variables: "/usr/share/edk2/x64/OVMF_VARS.4m.fd" },
] as const;

/**
 * Finds the firmware and writes a variable store for one machine.
 *
 * @param variablesPath the store to make
 * @throws SealrootError `missing-tool` naming the package when no firmware is installed
 */
export async function prepareFirmware(variablesPath: string): Promise<FirmwareFiles> {
  const found = CANDIDATES.find(({ code, variables }) => existsSync(code) && existsSync(variables));
  if (found === undefined) {
    throw new SealrootError("missing-tool", "Cannot start a virtual machine: the UEFI firmware OVMF is not installed", {
      expected: CANDIDATES.map(({ code }) => code).join(" or "),
      hint: "apt install ovmf",
    });
  }
  const blank = await readFile(found.variables);
  await writeFile(variablesPath, blank);
  return { codePath: found.code, variablesPath };
}
