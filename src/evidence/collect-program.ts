/** A program of the boot chain as evidence: everything about it that can be checked without it. */
import { createHash } from "node:crypto";
import { toHex } from "../bytes/index.ts";
import { type DigestName, readAuthenticode } from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import {
  authenticodeDigest,
  findSection,
  measuredSections,
  type PeImage,
  parsePe,
  readSignatures,
  sectionContent,
} from "../pe/index.ts";
import type { Materials } from "../verify/index.ts";
import { base64Of, type EvidenceProgram } from "./evidence.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** By the words that a verification has for them. */
const ROLES: Readonly<Record<string, EvidenceProgram["role"]>> = {
  "the boot loader": "loader",
  "the UKI": "uki",
  "the add-on": "add-on",
};

export async function programEvidence({ what, path, bytes }: Materials["programs"][number]): Promise<EvidenceProgram> {
  const image = orUndefined(() => parsePe(bytes, what));
  const kernel = image && orUndefined(() => contentOf(image, ".linux"));
  const signatures = (image && orUndefined(() => readSignatures(image))) ?? [];
  return {
    role: kernel === undefined ? (ROLES[what] ?? "program") : "uki",
    path,
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    authenticode: image === undefined ? {} : await digestsOf(image, signatures),
    signatures: signatures.map(base64Of),
    sections: (kernel && image && orUndefined(() => sectionsOf(image))) ?? null,
    commandLine: (image && orUndefined(() => lineOf(image))) ?? null,
    kernelAuthenticode: (kernel && orUndefined(() => toHex(authenticodeDigest(parsePe(kernel))))) ?? null,
  };
}

/** SHA-256, which firmware measures, and what the signatures are over. */
async function digestsOf(image: PeImage, signatures: readonly Uint8Array[]): Promise<EvidenceProgram["authenticode"]> {
  const claims = await Promise.allSettled(signatures.map(readAuthenticode));
  const named = claims.flatMap((claim) => (claim.status === "fulfilled" ? [claim.value.digestAlgorithm] : []));
  const names = new Set<DigestName>(["sha256", ...named]);
  const digests = [...names].map((name) => [name, orUndefined(() => toHex(authenticodeDigest(image, name)))] as const);
  return Object.fromEntries(digests.filter(([, digest]) => digest !== undefined));
}

function sectionsOf(image: PeImage) {
  return measuredSections(image).map(({ name, content }) => ({
    name,
    sizeBytes: content.length,
    sha256: sha256(content),
  }));
}

/** With whatever is at its end: the digest of the section is over that too. */
function lineOf(image: PeImage): string | undefined {
  const content = contentOf(image, ".cmdline");
  return content && new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
}

function contentOf(image: PeImage, name: string): Uint8Array | undefined {
  const section = findSection(image, name);
  return section && sectionContent(image, section);
}

/** What a verification has called broken is left out here. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SealrootError || error instanceof TypeError) return undefined;
    throw error;
  }
}
