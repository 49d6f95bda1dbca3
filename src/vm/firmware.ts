/** The UEFI firmware for QEMU (OVMF, AAVMF): its two files, and a variable store with keys enrolled. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import type { ArchitectureName } from "../bootimage/index.ts";
import { addVariables, databaseUpdate, eraseVariables, secureBootVariables } from "../efi/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { EnrolledKeys, OwnedCertificates } from "../keys/index.ts";

/** What the machine boots from: firmware code (never written) and its own variable store. */
export interface FirmwareFiles {
  readonly codePath: string;
  readonly variablesPath: string;
}

interface Firmware {
  readonly code: string;
  /** The store of a machine that was never switched on. */
  readonly variables: string;
  /** A store that was written to, whose headers are used, where the blank one has none. */
  readonly written?: string;
}

/**
 * Builds that enforce Secure Boot, with their blank variable stores, where distributions put them. The plain
 * `OVMF_CODE_4M.fd` is left out on purpose: Debian 13's boots tampered images (spec/boot-chain.md C, "Which OVMF").
 */
const CANDIDATES: Readonly<
  Record<ArchitectureName, { readonly package: string; readonly files: readonly Firmware[] }>
> = {
  amd64: {
    package: "ovmf",
    files: [
      { code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", variables: "/usr/share/OVMF/OVMF_VARS_4M.fd" },
      { code: "/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", variables: "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
      { code: "/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd", variables: "/usr/share/edk2/x64/OVMF_VARS.4m.fd" },
    ],
  },
  arm64: {
    package: "qemu-efi-aarch64",
    files: ["secboot", "ms"].map((build) => ({
      code: `/usr/share/AAVMF/AAVMF_CODE.${build}.fd`,
      variables: "/usr/share/AAVMF/AAVMF_VARS.fd",
      written: "/usr/share/AAVMF/AAVMF_VARS.ms.fd",
    })),
  },
};

/**
 * Finds the firmware and writes a variable store for one machine.
 *
 * @param variablesPath the store to make
 * @param secureBoot enrolled as PK, KEK, db and dbx, which turns Secure Boot on; without it the store is blank, which is setup
 *   mode: a boot loader may enrol its own keys
 * @throws SealrootError `missing-tool` naming the package when no firmware is installed
 */
export async function prepareFirmware(
  architecture: ArchitectureName,
  variablesPath: string,
  secureBoot: OwnedCertificates | EnrolledKeys | undefined,
): Promise<FirmwareFiles> {
  const { package: name, files } = CANDIDATES[architecture];
  const found = files.find((paths) => Object.values(paths).every((path) => existsSync(path)));
  if (found === undefined) {
    throw new SealrootError("missing-tool", "Cannot start a virtual machine: its UEFI firmware is not installed", {
      expected: files.map(({ code }) => code).join(" or "),
      hint: `apt install ${name}`,
    });
  }
  const store = secureBoot === undefined ? await readFile(found.variables) : await storeWith(found, secureBoot);
  await writeFile(variablesPath, store);
  return { codePath: found.code, variablesPath };
}

/** Firmware accepts a later update only with a later time: this is long ago. */
const ENROLMENT_TIME = new Date("2000-01-01T00:00:00Z");

async function storeWith(
  { variables, written }: Firmware,
  keys: OwnedCertificates | EnrolledKeys,
): Promise<Uint8Array> {
  const blank = written === undefined ? await readFile(variables) : eraseVariables(await readFile(written));
  const own = secureBootVariables(keys.certificates, keys.ownerGuid, ENROLMENT_TIME);
  if (!("allowed" in keys)) return addVariables(blank, own);
  const dbx = keys.forbidden.length === 0 ? [] : [databaseUpdate("dbx", keys.forbidden, ENROLMENT_TIME)];
  const db = databaseUpdate("db", keys.allowed, ENROLMENT_TIME);
  return addVariables(blank, [db, ...dbx, ...own.filter(({ name }) => name !== "db")]);
}
