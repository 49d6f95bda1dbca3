/** What `ukify --measure` prints: the values of PCR 11, as systemd-measure(1) writes them. */
import { toHex } from "../bytes/index.ts";
import { expectedUkiPcrs, parsePe } from "../pe/index.ts";
import { PCR } from "../tpm/index.ts";
import type { UkifyOptions } from "./ukify-options.ts";

/**
 * The values for each phase and bank, as text or in one of the forms of JSON.
 * @throws SealrootError as {@link expectedUkiPcrs}
 */
export function measurementLines(
  uki: Uint8Array,
  { pcrBanks, phases, json }: Pick<UkifyOptions, "pcrBanks" | "phases" | "json">,
): string[] {
  const image = parsePe(uki, "the UKI");
  const banks = pcrBanks.map((bank) => ({ bank, hashes: expectedUkiPcrs(image, bank, phases).map(toHex) }));
  if (json === "off") {
    return phases.flatMap((phase, index) => [
      `# PCR[${PCR.uki}] Phase <${phase}>`,
      ...banks.map(({ bank, hashes }) => `${PCR.uki}:${bank}=${hashes[index]}`),
    ]);
  }
  const document = Object.fromEntries(
    banks.map(({ bank, hashes }) => [
      bank,
      phases.map((phase, index) => ({ phase, pcr: PCR.uki, hash: hashes[index] })),
    ]),
  );
  return JSON.stringify(document, undefined, json === "pretty" ? "\t" : undefined).split("\n");
}
