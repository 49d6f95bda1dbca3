/** What an administrator decides about automatic updates: `updates.toml`. */
import { parseTomlFile } from "../../bootimage/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import { CONDITIONS, type ConditionName } from "./conditions.ts";
import { parseWindow, type UpdateWindow } from "./window.ts";

const APPLY = ["never", "reboot", "soft-reboot"] as const;
/**
 * What happens to an update that is staged: it waits for somebody, or the host reboots into it; softly where that can be.
 */
export type ApplyPolicy = (typeof APPLY)[number];

const TIME_ZONES = ["local", "utc"] as const;

export interface UpdateSettings {
  /** Between two questions to the registry. */
  readonly intervalMs: number;
  /** Hosts spread their questions over this long; at most the interval. */
  readonly jitterMs: number;
  readonly apply: ApplyPolicy;
  /** When the host may be rebooted: in any of them; always if there are none. */
  readonly windows: readonly UpdateWindow[];
  readonly timeZone: (typeof TIME_ZONES)[number];
  /** What must be true for anything to be done. */
  readonly conditions: readonly ConditionName[];
}

const HOUR_MS = 3_600_000;
export const DEFAULT_SETTINGS: UpdateSettings = {
  intervalMs: 8 * HOUR_MS,
  jitterMs: 8 * HOUR_MS,
  apply: "reboot",
  windows: [],
  timeZone: "local",
  conditions: [],
};

/** More often, and the hosts of a fleet are a load of their own. */
const INTERVAL_MIN_MS = 10 * 60_000;
/** Longer than any release should wait. */
const INTERVAL_MAX_MS = 90 * 24 * HOUR_MS;

/**
 * Applies the settings of one file to those before it: the image's `/usr/lib/sealroot/updates.toml`, then the host's
 * `/etc/sealroot/updates.toml`. A key replaces the whole value before it.
 *
 * @param path names the file in errors
 * @throws SealrootError `corrupt` for what is not TOML or not a setting, `usage` for a value that cannot be
 */
export function applySettings(before: UpdateSettings, path: string, text: string): UpdateSettings {
  const table = parseTomlFile(path, text);
  const known = ["interval", "jitter", "apply", "window", "time-zone", "conditions"];
  const unknown = Object.keys(table).find((key) => !known.includes(key));
  if (unknown !== undefined) throw corrupt(`Cannot read ${path}: there is no setting "${unknown}"`, { path });
  const at = (key: string) => ({ path, key, value: table[key] });
  const settings: UpdateSettings = {
    intervalMs: duration(at("interval"), before.intervalMs),
    jitterMs: duration(at("jitter"), before.jitterMs),
    apply: oneOf(at("apply"), APPLY, before.apply),
    windows: texts(at("window"))?.map(parseWindow) ?? before.windows,
    timeZone: oneOf(at("time-zone"), TIME_ZONES, before.timeZone),
    conditions:
      texts(at("conditions"))?.map((value) => oneOf({ ...at("conditions"), value }, CONDITIONS, "ac-power")) ??
      before.conditions,
  };
  const { intervalMs } = settings;
  if (intervalMs < INTERVAL_MIN_MS || intervalMs > INTERVAL_MAX_MS) {
    throw new SealrootError("usage", `Cannot use the interval of ${path}: it must be from 10min to 90d`, { path });
  }
  return { ...settings, jitterMs: Math.min(settings.jitterMs, intervalMs) };
}

interface Value {
  readonly path: string;
  readonly key: string;
  readonly value: unknown;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, min: 60_000, h: HOUR_MS, d: 24 * HOUR_MS };

function duration({ path, key, value }: Value, absent: number): number {
  if (value === undefined) return absent;
  const match = typeof value === "string" ? /^(\d{1,9})\s*(s|min|h|d)$/.exec(value) : null;
  const unit = UNIT_MS[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw wrong({ path, key, value }, 'a time such as "90min", "8h" or "7d"');
  return Number(match[1]) * unit;
}

function oneOf<const Choice extends string>(at: Value, choices: readonly Choice[], absent: Choice): Choice {
  if (at.value === undefined) return absent;
  const found = choices.find((choice) => choice === at.value);
  if (found === undefined) throw wrong(at, choices.map((choice) => `"${choice}"`).join(" or "));
  return found;
}

function texts(at: Value): readonly string[] | undefined {
  if (at.value === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(at.value) ? at.value : [at.value];
  return list.map((value) => {
    if (typeof value !== "string") throw wrong(at, "a text or a list of texts");
    return value;
  });
}

function wrong({ path, key, value }: Value, expected: string): SealrootError {
  const what = `Cannot read ${path}: ${key} is ${JSON.stringify(value) ?? "nothing"}, and must be ${expected}`;
  return new SealrootError("corrupt", what, { path });
}
