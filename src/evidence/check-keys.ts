/** The keys that let programs start: those that are given, or those that the evidence states. */
import { parseSignatureLists } from "../efi/index.ts";
import type { SignatureDatabases } from "../keys/index.ts";
import { type ChainDraft, checkFirmwareKeys, type FirmwareKeys } from "../verify/index.ts";
import { bytesOfBase64, type Evidence } from "./evidence.ts";

export async function checkKeys(
  chain: ChainDraft,
  evidence: Evidence,
  given: SignatureDatabases | undefined,
): Promise<FirmwareKeys> {
  const draft = chain.link("keys", given?.name ?? "of the evidence");
  if (given !== undefined || evidence.keys.length === 0) return await checkFirmwareKeys(draft, given, []);
  const databases = await draft.attempt(() =>
    evidence.keys.map(({ name, db, dbx }) => ({
      name,
      allowed: parseSignatureLists(bytesOfBase64(db)),
      forbidden: parseSignatureLists(bytesOfBase64(dbx)),
    })),
  );
  for (const database of databases ?? []) await checkFirmwareKeys(draft, database, []);
  return { databases: databases ?? [] };
}
