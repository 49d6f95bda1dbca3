/** The three variables that switch Secure Boot on with your own keys (UEFI 2.10, 32.3). */
import type { VariableToSign } from "./authenticated-variable.ts";
import { GLOBAL_VARIABLE_VENDOR, type Guid, IMAGE_SECURITY_DATABASE_VENDOR } from "./guid.ts";
import { encodeSignatureLists, type SignatureEntry, x509Entry } from "./signature-list.ts";
import { VariableAttribute } from "./variable.ts";

/** Platform key, key exchange keys, signature database. */
export type SecureBootVariableName = "PK" | "KEK" | "db";

/** DER certificates of each variable. The platform key is one certificate. */
export type SecureBootCertificates = Readonly<Record<SecureBootVariableName, readonly Uint8Array[]>>;

/** PK, KEK or db as it is to be set. */
export type SecureBootVariable = VariableToSign & { readonly name: SecureBootVariableName };

const { nonVolatile, bootServiceAccess, runtimeAccess, timeBasedAuthenticatedWriteAccess } = VariableAttribute;
/** The attributes UEFI prescribes for all three (2.10, 3.3 and 32.6). */
const ATTRIBUTES = nonVolatile | bootServiceAccess | runtimeAccess | timeBasedAuthenticatedWriteAccess;

/** The vendor under which firmware looks for the variable. */
function vendorOf(name: SecureBootVariableName): Guid {
  return name === "db" ? IMAGE_SECURITY_DATABASE_VENDOR : GLOBAL_VARIABLE_VENDOR;
}

/**
 * One variable's new content.
 * @param owner identifies the enroller of the certificates, in every entry
 * @param timestamp firmware refuses later updates that are not newer
 */
export function secureBootVariable(
  name: SecureBootVariableName,
  certificates: readonly Uint8Array[],
  owner: Guid,
  timestamp: Date,
): SecureBootVariable {
  const data = encodeSignatureLists(certificates.map((certificate) => x509Entry(owner, certificate)));
  return { name, vendor: vendorOf(name), attributes: ATTRIBUTES, timestamp, data };
}

/** What may start, and what must not, whoever signed it. */
export type SignatureDatabaseName = "db" | "dbx";

/**
 * An update of a signature database.
 *
 * @param isAppended adds the entries to those that the machine has; otherwise they replace all
 */
export function databaseUpdate(
  name: SignatureDatabaseName,
  entries: readonly SignatureEntry[],
  timestamp: Date,
  isAppended = false,
): VariableToSign & { readonly name: SignatureDatabaseName } {
  return {
    name,
    vendor: IMAGE_SECURITY_DATABASE_VENDOR,
    attributes: isAppended ? ATTRIBUTES | VariableAttribute.appendWrite : ATTRIBUTES,
    timestamp,
    data: encodeSignatureLists(entries),
  };
}

/** All three, db first and PK last: setting PK ends setup mode, after which nothing unsigned is accepted. */
export function secureBootVariables(
  certificates: SecureBootCertificates,
  owner: Guid,
  timestamp: Date,
): readonly SecureBootVariable[] {
  const names: readonly SecureBootVariableName[] = ["db", "KEK", "PK"];
  return names.map((name) => secureBootVariable(name, certificates[name], owner, timestamp));
}
