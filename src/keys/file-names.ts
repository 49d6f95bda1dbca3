/**
 * The names files of a key directory have. Read are those that sealroot, bootc's examples (`NAME.key`, `NAME.crt`,
 * `NAME.cer`, `GUID.txt`; spec/host-build.md) and sbctl (`NAME/NAME.key`, `NAME/NAME.pem`, `../GUID`) use.
 */
import type { SecureBootVariableName } from "../efi/index.ts";

export const KEY_NAMES: readonly SecureBootVariableName[] = ["PK", "KEK", "db"];

/** Holds the owner GUID as text. */
export const GUID_FILE = "GUID.txt";
export const GUID_FILES: readonly string[] = [GUID_FILE, "GUID", "../GUID"];

/** Certificate files of a name; PEM and DER are told apart by content. */
export function certificateFiles(name: SecureBootVariableName): readonly string[] {
  return [name, `${name}/${name}`].flatMap((stem) => [`${stem}.pem`, `${stem}.crt`, `${stem}.cer`, `${stem}.der`]);
}

export function privateKeyFiles(name: SecureBootVariableName): readonly string[] {
  return [`${name}.key`, `${name}/${name}.key`];
}

export function enrolmentFile(name: SecureBootVariableName): string {
  return `${name}.auth`;
}
