/** Who signed a program of the boot chain, and whether the firmware accepts it. */
import { certificateOf, describeCertificate, readAuthenticode } from "../../cms/index.ts";
import type { SignatureEntry } from "../../efi/index.ts";
import { type SignatureDatabases, verifyBootClaim, verifyBootProgram } from "../../keys/index.ts";
import { parsePe, type SignedClaim, signedClaimOf, verifyClaim } from "../../pe/index.ts";
import type { LinkDraft } from "../report/link.ts";
import type { FirmwareKeys } from "./firmware-keys.ts";
import { checkSbatLevel } from "./sbat-level.ts";

const REMEDY = "put the file back that was signed, or seal and install again";

/** A whole program, or what its signatures are about where no more is at hand. */
type SignedProgram = Uint8Array | SignedClaim;

function claimOf(program: SignedProgram): SignedClaim {
  return program instanceof Uint8Array ? signedClaimOf(parsePe(program)) : program;
}

async function verifyAny(
  program: SignedProgram,
  what: string,
  databases: readonly SignatureDatabases[],
): Promise<true> {
  if (program instanceof Uint8Array) await verifyBootProgram(program, what, databases);
  else await verifyBootClaim(program, what, databases);
  return true;
}

/**
 * Checks a program as the firmware does, and shim, if its level is known. Without keys a good signature by an unknown signer, and no signature, are weaker.
 *
 * @param what names it in errors, such as `the UKI`
 */
export async function checkProgram(
  draft: LinkDraft,
  program: SignedProgram,
  what: string,
  path: string,
  { databases, sbatLevel }: FirmwareKeys,
): Promise<void> {
  if (sbatLevel !== undefined && program instanceof Uint8Array) {
    checkSbatLevel(draft, program, what, path, sbatLevel);
  }
  if (databases.length === 0) return await checkWithoutKeys(draft, program, what, path);
  const isAccepted = await draft.attempt(() => verifyAny(program, what, databases), { path });
  if (isAccepted === undefined) return;
  for (const { name, allowed } of databases) {
    const signer = await signerOf(program, allowed);
    draft.checkedBy(signer === undefined ? `its digest, in db of ${name}` : `${signer.subject} in db of ${name}`);
    // Firmware has no clock that it could trust (edk2, X509_V_FLAG_NO_CHECK_TIME).
    if (signer?.isExpired === true)
      draft.fact(`the certificate of ${signer.subject} has expired, which firmware ignores`);
  }
}

async function checkWithoutKeys(draft: LinkDraft, program: SignedProgram, what: string, path: string): Promise<void> {
  const signed = await draft.attempt(() => claimOf(program).signatures.length > 0, { path, remedy: REMEDY });
  if (signed === undefined) return;
  if (!signed) {
    draft.find("weaker", `${what} is not signed: firmware with Secure Boot refuses it`, { path });
    return;
  }
  const isGood = await draft.attempt(() => verifyAny(program, what, []), { path, remedy: REMEDY });
  if (isGood === undefined) return;
  const names = (await companions(program)).map((der) => describeCertificate(certificateOf(der)).subject);
  draft.fact(`its signature fits the certificate in it, ${names.join(", ")}`);
  draft.find("weaker", `nobody at hand trusts who signed ${what}`, { path, remedy: "give the keys with --keys" });
}

async function companions(program: SignedProgram): Promise<Uint8Array[]> {
  const claims = await Promise.all(claimOf(program).signatures.map(readAuthenticode));
  return claims.flatMap(({ certificates }) => certificates);
}

/** @returns undefined when a digest in the database, and no certificate, lets it start */
async function signerOf(
  program: SignedProgram,
  allowed: readonly SignatureEntry[],
): Promise<{ readonly subject: string; readonly isExpired: boolean } | undefined> {
  const trusted = allowed.filter(({ type }) => type === "x509").map(({ data }) => data);
  try {
    const { signer, trustedPath } = await verifyClaim(claimOf(program), trusted);
    const now = Date.now();
    const isExpired = [signer, ...trustedPath].some(({ validTo }) => Date.parse(validTo) < now);
    return { subject: signer.subject, isExpired };
  } catch {
    return undefined;
  }
}
