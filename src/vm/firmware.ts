/** OVMF, the UEFI firmware for QEMU: its two files, and a variable store with keys enrolled. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { addVariables, secureBootVariables } from "../efi/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { OwnedCertificates } from "../keys/index.ts";

/** What the machine boots from: firmware code (never written) and its own variable store. */
export interface FirmwareFiles {
  readonly codePath: string;
  readonly variablesPath: string;
}

/**
 * Builds that enforce Secure Boot, with their blank variable stores, where distributions put them. The plain
 * `OVMF_CODE_4M.fd` is left out on purpose: Debian 13's boots tampered images (spec/boot-chain.md C, "Which OVMF").
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
 * @param secureBoot enrolled as PK, KEK and db, which turns Secure Boot on; without it the store is blank, which is setup
 *   mode: a boot loader may enrol its own keys
 * @throws SealrootError `missing-tool` naming the package when no firmware is installed
 */
export async function prepareFirmware(
  variablesPath: string,
  secureBoot: OwnedCertificates | undefined,
): Promise<FirmwareFiles> {
  const found = CANDIDATES.find(({ code, variables }) => existsSync(code) && existsSync(variables));
  if (found === undefined) {
    throw new SealrootError("missing-tool", "Cannot start a virtual machine: the UEFI firmware OVMF is not installed", {
      expected: CANDIDATES.map(({ code }) => code).join(" or "),
      hint: "apt install ovmf",
    });
  }
  const blank = await readFile(found.variables);
  await writeFile(variablesPath, secureBoot === undefined ? blank : enrol(blank, secureBoot));
  return { codePath: found.code, variablesPath };
}

/** Firmware accepts a later update only with a later time: this is long ago. */
const ENROLMENT_TIME = new Date("2000-01-01T00:00:00Z");

function enrol(blank: Uint8Array, { certificates, ownerGuid }: OwnedCertificates): Uint8Array {
  return addVariables(blank, secureBootVariables(certificates, ownerGuid, ENROLMENT_TIME));
}
