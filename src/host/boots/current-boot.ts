/** Which try this boot is. */
import { readFileSync } from "node:fs";
import { countedEntry } from "../../bootplan/index.ts";
import { loaderVariable } from "../firmware.ts";

export interface CurrentBoot {
  /** The kernel's id, 32 hex digits, as the boot program and journalctl have it. */
  readonly bootId: string;
  /** The counted entry's file name without counter; undefined when the boot loader does not count this boot. */
  readonly entry: string | undefined;
  readonly tries: number | undefined;
}

/** @throws SealrootError when the firmware's variables cannot be read */
export function currentBoot(): CurrentBoot {
  const path = loaderVariable("LoaderBootCountPath");
  const counted = path === undefined ? undefined : countedEntry(path);
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().replaceAll("-", "");
  return { bootId, entry: counted?.entry, tries: counted?.tries };
}
