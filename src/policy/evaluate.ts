/** The verdict of a policy on an image (spec/chunked-and-policy.md 3.1). */
import { SealrootError } from "../errors/index.ts";
import { formatReference } from "../oci/index.ts";
import type { Policy } from "./policy-file.ts";
import type { Requirement } from "./requirements.ts";
import { type ApplicableRequirements, requirementsFor } from "./scopes.ts";
import { requireSigstoreSigned } from "./sigstore-signed.ts";
import { NO_SIGNATURE, type PolicySubject, rejected } from "./subject.ts";

/**
 * Checks an image against a policy: every requirement of the scope it falls under must be met.
 *
 * @throws SealrootError `untrusted`, naming image, requirement, scope and reason; `unsupported` for a requirement that cannot
 *   be judged here; and, in their own words, errors of reading keys and of the registry
 */
export async function assertAccepted(policy: Policy, subject: PolicySubject, now = new Date()): Promise<void> {
  const digests = [subject.manifest.digest, ...subject.indexDigests];
  for (const applicable of requirementsFor(policy, subject.place, digests)) {
    await assertMet(applicable, policy.path, subject, now);
  }
}

async function assertMet(
  { requirements, scope }: ApplicableRequirements,
  path: string,
  subject: PolicySubject,
  now: Date,
): Promise<void> {
  for (const [index, requirement] of requirements.entries()) {
    try {
      await evaluate(requirement, subject, now);
    } catch (error) {
      if (!(error instanceof SealrootError) || (error.code !== "untrusted" && error.code !== "unsupported"))
        throw error;
      const image = formatReference(subject.reference);
      const where = `requirement ${index + 1} (${requirement.type}) of ${scope} in ${path}`;
      throw new SealrootError(
        error.code,
        `Cannot accept image ${image}: ${where}: ${error.message}`,
        { ...hintFor(requirement, error), ...error.data, path: image, actual: subject.manifest.digest },
        error,
      );
    }
  }
}

/** cosign 3 writes bundles by default; it is easy to miss that they are not what is required. */
function hintFor({ type }: Requirement, { message }: SealrootError): { readonly hint?: string } {
  if (type !== "sigstoreSigned" || message !== NO_SIGNATURE) return {};
  return { hint: "cosign 3 writes such a signature with --new-bundle-format=false; its bundles meet sigstoreBundle" };
}

async function evaluate(requirement: Requirement, subject: PolicySubject, now: Date): Promise<void> {
  switch (requirement.type) {
    case "insecureAcceptAnything":
      return;
    case "reject":
      throw rejected("Running image is rejected by policy");
    case "signedBaseLayer":
      // As with the reference, which reads this requirement and has never evaluated it.
      throw rejected("signedBaseLayer is never met");
    case "sigstoreSigned":
      return requireSigstoreSigned(requirement, subject, now);
    case "sigstoreBundle":
      return (await import("./sigstore-bundle.ts")).requireSigstoreBundle(requirement, subject);
    case "signedBy":
      return (await import("./signed-by.ts")).requireSignedBy(requirement, subject);
  }
}
