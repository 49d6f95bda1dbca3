/** What the firmware and the boot loader say in EFI variables (efivarfs). */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  BOOT_LOADER_VENDOR,
  GLOBAL_VARIABLE_VENDOR,
  type Guid,
  IMAGE_SECURITY_DATABASE_VENDOR,
  parseEfivarfs,
  parseSignatureLists,
  SHIM_VENDOR,
  utf16Text,
} from "../efi/index.ts";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import type { SignatureDatabases } from "../keys/index.ts";
import { parseSbatLevel, type SbatLevel } from "../pe/index.ts";
import { runTool } from "../platform/index.ts";

/** Where the kernel shows the firmware's variables (efivarfs). */
export const EFI_VARIABLES = "/sys/firmware/efi/efivars";

/**
 * A variable that the boot loader left (systemd.io, "The Boot Loader Interface").
 * @returns undefined when it did not, or the machine has no UEFI
 */
export function loaderVariable(name: string): string | undefined {
  const data = readVariable(name, BOOT_LOADER_VENDOR);
  return data === undefined ? undefined : utf16Text(data);
}

/**
 * What the firmware lets start.
 *
 * @returns undefined when it lets start anything: Secure Boot is off, or the machine has no UEFI
 * @throws SealrootError for a variable that cannot be read
 */
export function firmwareDatabases(directory = EFI_VARIABLES): SignatureDatabases | undefined {
  const [isOn] = readVariable("SecureBoot", GLOBAL_VARIABLE_VENDOR, directory) ?? [];
  if (isOn !== 1) return undefined;
  const entries = (name: string) => {
    const data = readVariable(name, IMAGE_SECURITY_DATABASE_VENDOR, directory);
    return data === undefined ? [] : parseSignatureLists(data);
  };
  return { name: "the keys of this machine", allowed: entries("db"), forbidden: entries("dbx") };
}

/**
 * The level of SBAT by which shim started this boot; it leaves a copy of it for the system (shim, include/sbat.h, SBAT_RT_VAR_NAME).
 * @returns undefined when shim did not
 * @throws SealrootError for a variable that cannot be read
 */
export function shimSbatLevel(directory = EFI_VARIABLES): SbatLevel | undefined {
  const data = readVariable("SbatLevelRT", SHIM_VENDOR, directory);
  return data === undefined ? undefined : parseSbatLevel(data, "the variable SbatLevelRT");
}

/** The firmware's databases as they are, by the names of their variables. */
export interface FirmwareVariables {
  readonly PK: Uint8Array;
  readonly KEK: Uint8Array;
  readonly db: Uint8Array;
  readonly dbx: Uint8Array;
}

/** Signature lists; empty for what is not set. @throws SealrootError for a variable that cannot be read */
export function firmwareVariables(directory = EFI_VARIABLES): FirmwareVariables {
  const value = (name: string, vendor: Guid) => readVariable(name, vendor, directory) ?? new Uint8Array(0);
  return {
    PK: value("PK", GLOBAL_VARIABLE_VENDOR),
    KEK: value("KEK", GLOBAL_VARIABLE_VENDOR),
    db: value("db", IMAGE_SECURITY_DATABASE_VENDOR),
    dbx: value("dbx", IMAGE_SECURITY_DATABASE_VENDOR),
  };
}

/**
 * Removes a variable. The kernel protects those that it does not know by the immutable flag.
 * @throws SealrootError when it cannot be removed; one that is absent is fine
 */
export async function removeVariable(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await runTool("chattr", ["-i", path]);
  rmSync(path, { force: true });
}

/** The value of a variable; undefined when it is not set. */
export function readVariable(name: string, vendor: Guid | string, directory = EFI_VARIABLES): Uint8Array | undefined {
  const path = join(directory, `${name}-${vendor}`);
  try {
    return parseEfivarfs(readFileSync(path)).data;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw asSealrootError(error, `Cannot read the EFI variable ${name}`, { path });
  }
}
