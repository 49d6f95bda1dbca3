/** What can be demanded of a host before it updates itself: nobody is to be disturbed, no battery emptied. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../../errors/index.ts";
import { namesIn } from "../../platform/index.ts";

export const CONDITIONS = ["ac-power", "no-users"] as const;
export type ConditionName = (typeof CONDITIONS)[number];

/** Where the kernel and systemd-logind say it; a folder of its own in tests. */
export interface ConditionPlaces {
  readonly powerSupplies: string;
  readonly sessions: string;
}

const PLACES: ConditionPlaces = { powerSupplies: "/sys/class/power_supply", sessions: "/run/systemd/sessions" };

/**
 * Which of the demanded conditions do not hold, in words.
 * @returns empty when all hold
 */
export function unmetConditions(names: readonly ConditionName[], places: ConditionPlaces = PLACES): string[] {
  const reasons = names.map((name) => (name === "ac-power" ? onBattery(places) : userLoggedIn(places)));
  return reasons.filter((reason) => reason !== undefined);
}

/** As ConditionACPower= decides (systemd.unit(5)): a machine without any supply that can be asked is on AC power. */
function onBattery({ powerSupplies }: ConditionPlaces): string | undefined {
  const supplies = namesIn(powerSupplies).map((name) => {
    const read = (file: string) => textAt(join(powerSupplies, name, file));
    return { type: read("type"), online: read("online"), status: read("status"), scope: read("scope") };
  });
  // A mouse has a battery, too.
  const own = supplies.filter(({ scope }) => scope !== "Device");
  if (own.some(({ type, online }) => type !== "Battery" && online === "1")) return undefined;
  const isDischarging = own.some(({ type, status }) => type === "Battery" && status === "Discharging");
  return isDischarging ? "it runs on battery" : undefined;
}

/** A session of class `user` (sd-login(3)); those of the manager, of cron and of greeters are nobody's work. */
function userLoggedIn({ sessions }: ConditionPlaces): string | undefined {
  for (const name of namesIn(sessions)) {
    const text = textAt(join(sessions, name));
    if (!/^CLASS=user$/m.test(text) || /^STATE=closing$/m.test(text)) continue;
    return `${/^USER=(.+)$/m.exec(text)?.[1] ?? "somebody"} is logged in`;
  }
  return undefined;
}

/** Empty for what is not there, or goes while it is read. */
function textAt(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV", "ENOTDIR", "EISDIR", "EINVAL", "EIO")) return "";
    throw error;
  }
}
