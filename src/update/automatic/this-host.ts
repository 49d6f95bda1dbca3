/** What a run of automatic updates must know of the machine: settings, identity, clocks. */
import { readFileSync } from "node:fs";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import type { UpdateSituation } from "./decision.ts";
import { applySettings, DEFAULT_SETTINGS, type UpdateSettings } from "./settings.ts";
import { hostFraction } from "./spread.ts";
import type { WallClock } from "./window.ts";

/** The image's settings, then the administrator's. */
export const SETTINGS_PATHS: readonly string[] = ["/usr/lib/sealroot/updates.toml", "/etc/sealroot/updates.toml"];
export const RECORD_PATH = "/var/lib/sealroot/updates.json";

/** @throws SealrootError as applySettings; for a file that is there and cannot be read */
export function readUpdateSettings(paths: readonly string[] = SETTINGS_PATHS): UpdateSettings {
  return paths.reduce((settings, path) => {
    const text = textOf(path, `Cannot read the settings of updates ${path}`);
    return text === undefined ? settings : applySettings(settings, path, text);
  }, DEFAULT_SETTINGS);
}

/**
 * The situation of this machine now.
 * @throws SealrootError `not-found` without a machine id: hosts without one would all have the same moment
 */
export function updateSituation(settings: UpdateSettings): Omit<UpdateSituation, "record" | "isStaged"> {
  const machineId = textOf("/etc/machine-id", "Cannot read the machine id")?.trim() ?? "";
  if (!/^[0-9a-f]{32}$/.test(machineId)) {
    throw new SealrootError("not-found", "Cannot tell this host's moment for updates: it has no machine id", {
      path: "/etc/machine-id",
      hint: "systemd-machine-id-setup makes one",
    });
  }
  const now = new Date();
  const uptimeSeconds = Number(textOf("/proc/uptime", "Cannot read the time since the boot")?.split(" ")[0]);
  return {
    settings,
    fraction: (purpose) => hostFraction(machineId, purpose),
    nowMs: now.getTime(),
    bootMs: now.getTime() - uptimeSeconds * 1000,
    clock: wallClock(now, settings.timeZone),
  };
}

/** What a clock on the wall shows then. */
export function wallClock(time: Date, timeZone: UpdateSettings["timeZone"]): WallClock {
  if (timeZone === "utc") return { day: time.getUTCDay(), minutes: time.getUTCHours() * 60 + time.getUTCMinutes() };
  return { day: time.getDay(), minutes: time.getHours() * 60 + time.getMinutes() };
}

function textOf(path: string, action: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw asSealrootError(error, action, { path });
  }
}
