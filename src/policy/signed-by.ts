/** The requirement `signedBy`: OpenPGP signatures, "simple signing" (spec/chunked-and-policy.md 2.3, 3.3). */
import { acceptsIdentity } from "./identity.ts";
import { readSimpleSignatures } from "./lookaside.ts";
import { loadMaterial } from "./material.ts";
import { openPgpKeyring, verifyOpenPgp } from "./openpgp.ts";
import { readPayload } from "./payload.ts";
import type { SignedBy } from "./requirements.ts";
import { imageName, isDigestOf, type PolicySubject, rejected, requireSignature } from "./subject.ts";

/**
 * One OpenPGP signature of the image, or of an index that holds it, must be accepted.
 * @throws SealrootError `untrusted`; `missing-tool` without gpgv; as the place of the signatures says
 */
export async function requireSignedBy(requirement: SignedBy, subject: PolicySubject): Promise<void> {
  const keyring = openPgpKeyring(await loadMaterial(requirement.keys));
  const fetch = (digest: string) => readSimpleSignatures(subject.place, digest);
  await requireSignature(subject, fetch, async (document, message) => {
    const statement = readPayload(await verifyOpenPgp(message, keyring), "atomic container signature");
    if (!isDigestOf(statement.manifestDigest, document)) {
      throw rejected(`Signature for digest ${statement.manifestDigest} does not match ${document.digest}`);
    }
    if (!acceptsIdentity(requirement.identity, imageName(subject), statement.dockerReference)) {
      throw rejected(`Signature for identity "${statement.dockerReference}" is not accepted`);
    }
  });
}
