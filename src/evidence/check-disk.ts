/** The disk of a system, and whether the firmware started from it. */
import type { ChainDraft } from "../verify/index.ts";
import type { QuotedWord } from "./check-quote.ts";
import type { Evidence } from "./evidence.ts";

export function checkDisk(chain: ChainDraft, { disk, target }: Evidence, word: QuotedWord): void {
  if (disk === null) {
    if (target.kind !== "disk" && target.kind !== "booted system") return;
    chain.link("disk", "of the system").find("unchecked", "the evidence does not say which");
    return;
  }
  const draft = chain.link("disk", disk.guid);
  for (const { number, name, guid, sizeBytes } of disk.partitions) {
    draft.fact(`partition ${number} (${name}) is ${guid}, ${sizeBytes} bytes`);
  }
  if (word.tables.length === 0) {
    draft.find("unchecked", "no measured partition table is at hand: only the evidence says so");
    return;
  }
  const table = word.tables.find(({ diskGuid }) => diskGuid === disk.guid);
  if (table === undefined) {
    draft.broken("the firmware started from another disk", {
      ...{ expected: word.tables.map(({ diskGuid }) => diskGuid).join(", "), found: disk.guid },
    });
    return;
  }
  draft.checkedBy("the partition table that was measured into PCR 5");
  const [expected, found] = [table.partitionGuids, disk.partitions.map(({ guid }) => guid)].map((guids) =>
    [...guids].sort().join(", "),
  );
  if (expected === found) return;
  draft.broken("its partitions are not those of the partition table that was measured", {
    ...{ expected: expected ?? "", found: found ?? "", remedy: "reboot after a change of partitions" },
  });
}
