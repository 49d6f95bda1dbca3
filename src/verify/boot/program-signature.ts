/** Who signed a program of the boot chain, and whether the firmware accepts it. */
import { certificateOf, describeCertificate, readAuthenticode } from "../../cms/index.ts";
import type { SignatureEntry } from "../../efi/index.ts";
import { isSigned, type SignatureDatabases, verifyBootProgram } from "../../keys/index.ts";
import { parsePe, readSignatures, verifyPe } from "../../pe/index.ts";
import type { LinkDraft } from "../report/link.ts";

const REMEDY = "put the file back that was signed, or seal and install again";

/**
 * Checks a program as the firmware does. Without keys a good signature by an unknown signer, and no signature, are weaker.
 *
 * @param what names it in errors, such as `the UKI`
 */
export async function checkProgram(
  draft: LinkDraft,
  bytes: Uint8Array,
  what: string,
  path: string,
  databases: readonly SignatureDatabases[],
): Promise<void> {
  if (databases.length === 0) return await checkWithoutKeys(draft, bytes, what, path);
  const isAccepted = await draft.attempt(
    async () => {
      await verifyBootProgram(bytes, what, databases);
      return true;
    },
    { path },
  );
  if (isAccepted === undefined) return;
  for (const { name, allowed } of databases) {
    const signer = await signerOf(bytes, allowed);
    draft.checkedBy(signer === undefined ? `its digest, in db of ${name}` : `${signer.subject} in db of ${name}`);
    // Firmware has no clock that it could trust (edk2, X509_V_FLAG_NO_CHECK_TIME).
    if (signer?.isExpired === true)
      draft.fact(`the certificate of ${signer.subject} has expired, which firmware ignores`);
  }
}

async function checkWithoutKeys(draft: LinkDraft, bytes: Uint8Array, what: string, path: string): Promise<void> {
  const signed = await draft.attempt(() => isSigned(bytes), { path, remedy: REMEDY });
  if (signed === undefined) return;
  if (!signed) {
    draft.find("weaker", `${what} is not signed: firmware with Secure Boot refuses it`, { path });
    return;
  }
  const isGood = await draft.attempt(
    async () => {
      await verifyBootProgram(bytes, what, []);
      return true;
    },
    { path, remedy: REMEDY },
  );
  if (isGood === undefined) return;
  const names = (await companions(bytes)).map((der) => describeCertificate(certificateOf(der)).subject);
  draft.fact(`its signature fits the certificate in it, ${names.join(", ")}`);
  draft.find("weaker", `nobody at hand trusts who signed ${what}`, { path, remedy: "give the keys with --keys" });
}

async function companions(bytes: Uint8Array): Promise<Uint8Array[]> {
  const claims = await Promise.all(readSignatures(parsePe(bytes)).map(readAuthenticode));
  return claims.flatMap(({ certificates }) => certificates);
}

/** @returns undefined when a digest in the database, and no certificate, lets it start */
async function signerOf(
  bytes: Uint8Array,
  allowed: readonly SignatureEntry[],
): Promise<{ readonly subject: string; readonly isExpired: boolean } | undefined> {
  const trusted = allowed.filter(({ type }) => type === "x509").map(({ data }) => data);
  try {
    const { signer, trustedPath } = await verifyPe(bytes, trusted);
    const now = Date.now();
    const isExpired = [signer, ...trustedPath].some(({ validTo }) => Date.parse(validTo) < now);
    return { subject: signer.subject, isExpired };
  } catch {
    return undefined;
  }
}

/** The subjects of the certificates among some entries; one that is unreadable is called so. */
export function certificateNames(entries: readonly SignatureEntry[]): string[] {
  return entries
    .filter(({ type }) => type === "x509")
    .map(({ data }) => {
      try {
        return describeCertificate(certificateOf(data)).subject;
      } catch {
        return "an unreadable certificate";
      }
    });
}
