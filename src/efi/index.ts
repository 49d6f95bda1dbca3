/**
 * efi: what UEFI firmware keeps in variables: Secure Boot key databases, authenticated updates of them, the variable
 * store of OVMF, and the texts a boot loader leaves.
 *
 * Format room, pure: bytes in, values out, the time is passed in. Knows `cms/` for signatures, but no files, efivarfs
 * or virtual machines.
 * @module
 */
export {
  type AuthenticatedVariable,
  authenticatedContent,
  parseAuthenticatedVariable,
  signVariable,
  type VariableToSign,
  verifyAuthenticatedVariable,
} from "./authenticated-variable.ts";
export { type EfiTime, efiTimeOf, parseEfiTime } from "./efi-time.ts";
export {
  BOOT_LOADER_VENDOR,
  GLOBAL_VARIABLE_VENDOR,
  type Guid,
  guidBytes,
  guidOf,
  guidText,
  IMAGE_SECURITY_DATABASE_VENDOR,
  SHIM_VENDOR,
} from "./guid.ts";
export {
  databaseUpdate,
  type SecureBootCertificates,
  type SecureBootVariable,
  type SecureBootVariableName,
  type SignatureDatabaseName,
  secureBootVariable,
  secureBootVariables,
} from "./secure-boot.ts";
export {
  encodeSignatureLists,
  parseSignatureLists,
  type SignatureEntry,
  type SignatureType,
  x509Entry,
} from "./signature-list.ts";
export {
  type EfiVariable,
  parseEfivarfs,
  utf16List,
  utf16Text,
  VariableAttribute,
} from "./variable.ts";
export { addVariables, eraseVariables, readVariableStore, type StoredVariable } from "./variable-store.ts";
