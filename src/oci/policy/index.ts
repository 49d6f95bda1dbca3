/**
 * oci/policy: signatures of images, and the policy that decides which images may be pulled (containers-policy.json(5)).
 *
 * The rest of oci/ enters here: it says what an image is and where its signatures may be, and gets a verdict. Network and
 * files of signatures are reached through SignatureStore; keys and policies are read from the file system.
 * @module
 */
export {
  ACCEPT_ANYTHING,
  enforcePolicy,
  loadPolicy,
  MACHINE_POLICY,
  type PolicyChoice,
} from "./enforce.ts";
export { nameOfReference } from "./image-name.ts";
export { layoutSignatures } from "./layout-signatures.ts";
export type { OpenedPlace } from "./opened-place.ts";
export { type Policy, parsePolicy } from "./policy-file.ts";
export type { SignatureStore, StoredManifest } from "./signature-store.ts";
export type { PolicySubject, SignedDocument } from "./subject.ts";
