/**
 * tpm: what a TPM 2.0 measures of a boot and how it decides by that: registers, the phases of a boot, policies and their
 * signatures as systemd has them.
 *
 * Format room, pure: bytes in, values out. Knows no PE files (`pe/` does) and talks to no device.
 * @module
 */
export { expectedArgumentsPcr, expectedProgramsPcr, PCR } from "./boot-registers.ts";
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
  signPolicies,
} from "./pcr-signatures.ts";
export { BOOT_PHASE_PATHS, BOOT_PHASES, phasesOfPath } from "./phases.ts";
export { pcrPolicyDigest } from "./policy.ts";
export { PCR_BANKS, type PcrBank, PcrRegister } from "./register.ts";
