/**
 * policy: signatures of images, and which images may be used at all (containers-policy.json(5)).
 *
 * The opener of an image says what was opened and where its signatures may be (SignatureStore), and gets a verdict.
 * Keys and policies are read from files; only a lookaside store (containers-registries.d(5)) is read over HTTP. Prints
 * nothing.
 * @module
 */
export { ACCEPT_ANYTHING, enforcePolicy, loadPolicy, MACHINE_POLICY, type PolicyChoice } from "./enforce.ts";
export { parsePolicy } from "./policy-file.ts";
export { parseStrictJson } from "./strict-json.ts";
export type { PolicySubject, SignedDocument } from "./subject.ts";
