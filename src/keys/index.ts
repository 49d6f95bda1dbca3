/**
 * keys: directories of Secure Boot keys: platform key (PK), key exchange key (KEK) and signature database key (db), their
 * certificates and enrolment files; and signers, from a key file or an outside program.
 *
 * Store room: knows files and names. The formats are those of `cms/` and `efi/`; a timestamping service is asked by the client of `registry/`.
 * @module
 */

export { checkBootSignatures, checkFirmwareSignature, type SignedBoot, sealedPrograms } from "./boot-signatures.ts";
export { addCertificates, removeCertificates } from "./change/certificates.ts";
export type { DatabaseItem } from "./change/database-items.ts";
export { type ListedDatabases, listDatabases } from "./change/list-databases.ts";
export { type ChangedDatabase, revoke } from "./change/revoke.ts";
export { type RotatedKeys, rotateKeys } from "./change/rotate.ts";
export { loadSbat, type RaisedGenerations, raiseGenerations } from "./change/sbat.ts";
export {
  type KeyReport,
  listKeys,
  loadCertificate,
  loadCertificates,
  loadSigner,
  type OwnedCertificates,
} from "./directory.ts";
export { type EnrolledKeys, loadEnrolledKeys } from "./enrolled-keys.ts";
export { type EnrolmentFiles, loadEnrolment } from "./enrolment.ts";
export { type GeneratedKeys, type GenerateKeysOptions, generateKeys } from "./generate.ts";
export type { SealKind } from "./key-marks.ts";
export { claimKey, type KeyUse } from "./key-use.ts";
export { type OpenedPolicyKey, openPolicyKey, type PolicyKeyChoice } from "./policy-key.ts";
export { commandSigner, trySigner } from "./signing/command-signer.ts";
export { openSigner, requireCertificate, type SignerChoice } from "./signing/open-signer.ts";
export {
  commandProgramSigner,
  type ProgramSigner,
  signProgram,
  timestampingSigner,
} from "./signing/program-signer.ts";
export { requireServiceUrl } from "./signing/timestamp-service.ts";
export { OPTION_ROM_ADVICE, startsOptionRoms } from "./vendor-certificates.ts";
export {
  databaseOfCertificate,
  databaseOfDirectory,
  databasesOf,
  isSigned,
  type SignatureDatabases,
  verifyBootClaim,
  verifyBootProgram,
} from "./verify-boot-program.ts";
