/** GUIDs: text, and the mixed-endian 16 bytes of UEFI (UEFI 2.10, appendix A). */
import { isUuid, mixedEndianUuid, UUID_BYTES, uuidOfMixedEndian } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";

declare const guidBrand: unique symbol;

/** A GUID as lower-case text, such as `8be4df61-93ca-11d2-aa0d-00e098032b8c`. */
export type Guid = string & { readonly [guidBrand]: true };

export const GUID_BYTES = UUID_BYTES;

/** EFI_GLOBAL_VARIABLE: PK, KEK, SecureBoot, BootOrder … (UEFI 2.10, 3.3). */
export const GLOBAL_VARIABLE_VENDOR = guidOf("8be4df61-93ca-11d2-aa0d-00e098032b8c");
/** EFI_IMAGE_SECURITY_DATABASE_GUID: db, dbx (UEFI 2.10, 32.6.1). */
export const IMAGE_SECURITY_DATABASE_VENDOR = guidOf("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/** systemd-boot and systemd-stub: LoaderInfo, LoaderDevicePartUUID, StubInfo … ("The Boot Loader Interface"). */
export const BOOT_LOADER_VENDOR = guidOf("4a67b082-0a4c-41cf-b6c7-440b29bb8c4f");
/** SHIM_LOCK_GUID: shim's own variables (shim, SbatLevel_Variable.txt). */
export const SHIM_VENDOR = guidOf("605dab50-e046-4300-abb6-3dd810dd8b23");

/**
 * A GUID from its text, either case.
 * @throws SealrootError `usage`
 */
export function guidOf(text: string): Guid {
  if (!isUuid(text)) {
    throw new SealrootError(
      "usage",
      `Cannot read GUID: "${text}" is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`,
    );
  }
  return text.toLowerCase() as Guid;
}

/** The 16 bytes: the first three fields little-endian, the rest as written. */
export function guidBytes(guid: Guid): Uint8Array {
  return mixedEndianUuid(guid);
}

/** @throws SealrootError `corrupt` when there are not 16 bytes */
export function guidText(bytes: Uint8Array): Guid {
  if (bytes.length !== GUID_BYTES) throw corrupt(`Cannot read GUID: ${bytes.length} bytes, 16 wanted`);
  return guidOf(uuidOfMixedEndian(bytes));
}
