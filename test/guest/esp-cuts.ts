/** The states that a power cut can leave of the ESP of esp-content.ts, looked at as a boot loader does. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { compareForSystemdBoot, deploymentOfEntry, type NamedEntry, parseBootEntry } from "../../src/bls/index.ts";
import { reasonOf } from "../../src/errors/index.ts";
import { epochsOf, randomNumbers, survivingWrites, writeOf } from "../vm/powercut/cut-points.ts";
import { FatReader } from "../vm/powercut/fat-reader.ts";
import { espFaults } from "../vm/powercut/file-system-check.ts";
import { WriteLog } from "../vm/powercut/write-log.ts";
import { roundOf, ukiOfRound } from "./esp-content.ts";

export interface EspCuts {
  readonly states: number;
  readonly flushes: number;
  /** The last round that was durable. */
  readonly reached: number;
  /** Each fault, with the moments when the power went. */
  readonly faults: ReadonlyMap<string, readonly string[]>;
}

/**
 * @param path of the file system before the rounds; all writes of the log are in it in the end
 * @param cutsBetween random states for each time between two flushes
 */
export function cutEspEverywhere(path: string, logPath: string, cutsBetween: number): EspCuts {
  const faults = new Map<string, string[]>();
  let [states, flushes] = [0, 0];
  let reached = 0;
  using log = new WriteLog(logPath);
  const fd = openSync(path, "r+");
  const read = (offset: number, sizeBytes: number) => {
    const bytes = Buffer.alloc(sizeBytes);
    readSync(fd, bytes, 0, sizeBytes, offset);
    return bytes;
  };
  const look = (place: string, isDurable: boolean) => {
    states++;
    const { faults: found, round } = checkEsp(read, path);
    if (isDurable && round < reached) found.push(`after round ${reached} comes ${round}`);
    if (isDurable) reached = Math.max(reached, round);
    for (const fault of found) faults.set(fault, [...(faults.get(fault) ?? []), place]);
  };
  try {
    for (const { flush, writes } of epochsOf(log.entries())) {
      flushes = flush;
      const made = writes.map((entry) => writeOf(log, entry));
      for (let cut = 1; cut <= cutsBetween; cut++) {
        const survivors = survivingWrites(made, randomNumbers(flush * 1000 + cut));
        const old = survivors.map(({ offsetBytes, bytes }) => ({
          offsetBytes,
          bytes: read(offsetBytes, bytes.length),
        }));
        for (const { offsetBytes, bytes } of survivors) writeSync(fd, bytes, 0, bytes.length, offsetBytes);
        look(`flush ${flush}, cut ${cut}`, false);
        for (const { offsetBytes, bytes } of old.reverse()) writeSync(fd, bytes, 0, bytes.length, offsetBytes);
      }
      for (const { offsetBytes, bytes } of made) writeSync(fd, bytes, 0, bytes.length, offsetBytes);
      look(`flush ${flush}`, true);
    }
  } finally {
    closeSync(fd);
  }
  return { states, flushes, reached, faults };
}

function checkEsp(read: (offset: number, sizeBytes: number) => Buffer, path: string) {
  const faults: string[] = [];
  let round = -1;
  try {
    const esp = new FatReader(read);
    const folder = esp.find("loader/entries");
    const entries = (folder === undefined ? [] : esp.list(folder)).flatMap((file): NamedEntry[] => {
      const text = esp.contentOf(file).toString();
      // A file without content is none for a boot loader.
      return text === "" ? [] : [{ fileName: file.name, entry: parseBootEntry(text, file.name) }];
    });
    entries.sort(compareForSystemdBoot);
    const rounds = entries.map(({ entry }) => roundOf(deploymentOfEntry(entry)) ?? -1);
    round = rounds[0] ?? -1;
    const wanted = [round, ...(round === 0 ? [] : [round - 1])];
    // While an entry gets another name, it may be there under both.
    if (JSON.stringify([...new Set(rounds)]) !== JSON.stringify(wanted))
      faults.push(`the menu has ${rounds.length} entries, of rounds ${rounds}`);
    for (const of of new Set(rounds)) {
      const { path: name, bytes } = ukiOfRound(of);
      const file = esp.find(name);
      if (file === undefined || Buffer.compare(esp.contentOf(file), bytes) !== 0)
        faults.push("a UKI of the menu is not whole");
    }
  } catch (error) {
    faults.push(reasonOf(error).replaceAll(/\d+/g, "N"));
  }
  return { round, faults: [...faults, ...espFaults(path)] };
}
