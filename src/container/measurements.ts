/** What `ukify --measure` prints: the values of PCR 11, as systemd-measure(1) writes them. */
import { expectedUkiPcr, type PcrBank, parsePe, UKI_PCR } from "../pe/index.ts";
import type { UkifyOptions } from "./ukify-options.ts";

/**
 * The values for each phase and bank, as text or in one of the forms of JSON.
 * @throws SealrootError as {@link expectedUkiPcr}
 */
export function measurementLines(uki: Uint8Array, { pcrBanks, phases, json }: UkifyOptions): string[] {
  const image = parsePe(uki, "the UKI");
  const expected = (bank: string, phase: string) =>
    Buffer.from(expectedUkiPcr(image, bank as PcrBank, phase.split(":"))).toString("hex");
  if (json === "off") {
    return phases.flatMap((phase) => [
      `# PCR[${UKI_PCR}] Phase <${phase}>`,
      ...pcrBanks.map((bank) => `${UKI_PCR}:${bank}=${expected(bank, phase)}`),
    ]);
  }
  const document = Object.fromEntries(
    pcrBanks.map((bank) => [bank, phases.map((phase) => ({ phase, pcr: UKI_PCR, hash: expected(bank, phase) }))]),
  );
  return JSON.stringify(document, undefined, json === "pretty" ? "\t" : undefined).split("\n");
}
