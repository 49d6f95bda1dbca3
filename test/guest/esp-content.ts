/** What the ESP of esp-power-cut.test.ts holds in each round: made the same way inside and outside of the guest. */
import { createHash } from "node:crypto";
import { formatBootEntry, ukiEntry, ukiPath } from "../../src/bls/index.ts";
import type { NewEntry } from "../../src/bootloader/index.ts";
import type { EspFile } from "../../src/disk/index.ts";

const OS = { id: "debian", name: "Debian GNU/Linux 13", version: "13" };
/** More than a sector of the table of clusters describes. */
const UKI_BYTES = 1_300_000;

/** 128 hex digits, as a deployment's. */
export function idOfRound(round: number): string {
  return createHash("sha512").update(`round ${round}`).digest("hex");
}

/** Undefined for an id that is of no round. */
export function roundOf(id: string | undefined): number | undefined {
  for (let round = 0; round < 100; round++) if (idOfRound(round) === id) return round;
  return undefined;
}

export function ukiOfRound(round: number): EspFile {
  const pattern = createHash("sha256").update(`UKI ${round}`).digest();
  return { path: ukiPath(idOfRound(round)).slice(1), bytes: Buffer.alloc(UKI_BYTES, pattern) };
}

/** The round's own entry, with a boot counter, and that of the one before. */
export function entriesOfRound(round: number): NewEntry[] {
  const entry = (of: number, rank: "primary" | "secondary") =>
    formatBootEntry(ukiEntry(OS, idOfRound(of), rank, "efi"));
  return [
    { fileName: "bootc_debian-13-1+3.conf", text: entry(round, "primary") },
    ...(round === 0 ? [] : [{ fileName: "bootc_debian-13-0.conf", text: entry(round - 1, "secondary") }]),
  ];
}
