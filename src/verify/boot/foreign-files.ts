/** Programs and entries on the ESP that are no part of the chain. */
import { type SignatureDatabases, verifyBootProgram } from "../../keys/index.ts";
import type { ForeignFile } from "../report/report.ts";
import type { EntryList } from "./boot-entries.ts";
import type { EspFiles } from "./esp-files.ts";

/** UKIs directly in there are entries of their own for systemd-boot (UAPI.1, Type 2). */
const TYPE_2 = /^EFI\/Linux\/[^/]+\.efi$/i;

/** @param known paths of programs that were checked, without leading slash */
export async function foreignFiles(
  esp: EspFiles,
  { entries, unusable }: EntryList,
  known: readonly string[],
  databases: readonly SignatureDatabases[],
): Promise<ForeignFile[]> {
  const found: ForeignFile[] = unusable.map(({ path, reason }) => ({
    ...{ path, kind: "entry" },
    note: `no loader shows it: ${reason}`,
  }));
  for (const { path, entry, deploymentId } of entries) {
    if (deploymentId !== undefined) continue;
    const starts = entry.target.type === "uki" ? entry.target.path : entry.target.linux;
    found.push({ path, kind: "entry", note: `another system's: it starts ${starts}` });
  }
  const isKnown = new Set(known.map((path) => path.toLowerCase()));
  for (const { path } of esp.files) {
    if (!path.toLowerCase().endsWith(".efi") || isKnown.has(path.toLowerCase())) continue;
    const isEntry = TYPE_2.test(path);
    const offered = isEntry ? "the menu offers it" : "no entry starts it";
    found.push({
      path,
      kind: isEntry ? "entry" : "program",
      note: `${offered}; ${await verdict(esp, path, databases)}`,
    });
  }
  return found;
}

async function verdict(esp: EspFiles, path: string, databases: readonly SignatureDatabases[]): Promise<string> {
  if (databases.length === 0) return "nothing is known that would refuse it";
  try {
    await verifyBootProgram(esp.read(path) ?? new Uint8Array(), path, databases);
    return "the firmware starts it";
  } catch {
    return "the firmware refuses it";
  }
}
