/** Reading the keys and certificates that a policy names. */
import { readFile } from "node:fs/promises";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { Material } from "./requirements.ts";

/** One piece of material and where it comes from. */
export interface LoadedMaterial {
  /** The file, or `the policy`. */
  readonly origin: string;
  readonly bytes: Uint8Array;
}

/**
 * Every piece; one that cannot be read fails all, as in the reference: a missing key must be noticed.
 * @throws SealrootError as the file system says
 */
export async function loadMaterial(material: Material): Promise<LoadedMaterial[]> {
  const files = material.paths.map(async (path) => {
    const bytes = await readFile(path).catch((error: unknown) => {
      throw asSealrootError(error, "Cannot read the key of a policy", { path });
    });
    return { origin: path, bytes };
  });
  return [...(await Promise.all(files)), ...material.data.map((bytes) => ({ origin: "the policy", bytes }))];
}

/** One block of a PEM text. */
export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s([A-Za-z0-9+/=\s]*)-----END \1-----/g;

/** The blocks of a PEM text in order (RFC 7468); what is between them is ignored, as everywhere. */
export function readPem(bytes: Uint8Array): PemBlock[] {
  const text = Buffer.from(bytes).toString("latin1");
  return [...text.matchAll(PEM_BLOCK)].map(([, label = "", body = ""]) => {
    return { label, der: Buffer.from(body.replace(/\s/g, ""), "base64") };
  });
}

/**
 * The certificates of a PEM text, each in DER.
 * @throws SealrootError `corrupt` when there is none, or something else among them
 */
export function readCertificates(bytes: Uint8Array, origin: string): Uint8Array[] {
  const blocks = readPem(bytes);
  if (blocks.length > 0 && blocks.every(({ label }) => label === "CERTIFICATE")) return blocks.map(({ der }) => der);
  throw new SealrootError("corrupt", `Cannot read certificates of ${origin}: it is not PEM certificates only`, {
    path: origin,
  });
}
