/**
 * tpm: what a TPM 2.0 measures of a boot and how it decides by that: registers, the phases of a boot, policies and their
 * signatures as systemd has them; and what it is asked and answers: commands as bytes, quotes and the key that signs them, the
 * log of what was measured, replayed.
 *
 * Format room, pure: a TPM is a channel that the caller has opened (`platform/`). Knows no PE files (`pe/` does), UKIs or key stores.
 * @module
 */

export {
  type AttestationKey,
  attestationKeyPem,
  parseAttestationKey,
  withAttestationKey,
} from "./attestation-key.ts";
export { expectedArgumentsPcr, expectedProgramsPcr, PCR } from "./boot-registers.ts";
export {
  EVENT_LOG_MAX_BYTES,
  type EventLog,
  type MeasuredTable,
  type MeasuredVariable,
  measuredTables,
  measuredVariables,
  parseEventLog,
  replayEventLog,
  startedPrograms,
} from "./event-log.ts";
export {
  formatPcrSignatures,
  isSignedBy,
  joinPcrSignatures,
  type PcrPolicy,
  type PcrSignature,
  type PcrSignatures,
  type PolicySigner,
  parsePcrSignatures,
  parsePolicyKey,
  policyKeyFingerprint,
  policyKeyPem,
  policySignerOfKey,
  signPolicies,
} from "./pcr-signatures.ts";
export { BOOT_PHASE_PATHS, BOOT_PHASES, phasesOfPath } from "./phases.ts";
export { pcrPolicyDigest } from "./policy.ts";
export {
  digestOfValues,
  type PcrValues,
  parseQuote,
  type Quote,
  type QuoteClaim,
  readRegisters,
  takeQuote,
  verifyQuote,
} from "./quote.ts";
export { PCR_BANKS, type PcrBank, PcrRegister } from "./register.ts";
export { sendCommand, TPM_MESSAGE_MAX_BYTES, type TpmChannel } from "./wire.ts";
