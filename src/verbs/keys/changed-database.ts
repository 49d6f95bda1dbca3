/** What a change of a database of keys did, in words. */
import type { ChangedDatabase, DatabaseItem } from "../../keys/index.ts";

export function itemText({ kind, name, value }: DatabaseItem): string {
  if (kind === "certificate") return `${name} (SHA-256 ${value})`;
  return kind === "digest" ? `the program with digest ${value}` : `${name} ${value}`;
}

/** @param verb in the past, such as `Revoked` */
export function changeLines({ changed, entries, files, directory }: ChangedDatabase, verb: string): string[] {
  if (changed.length === 0) return ["Nothing to do: it is so already"];
  return [
    ...changed.map((item) => `${verb} ${itemText(item)}`),
    `${directory}: wrote ${files.join(", ")} (${entries.length} ${entries.length === 1 ? "entry" : "entries"})`,
  ];
}
