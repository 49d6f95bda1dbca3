/** Everything but the input that could tell one building host from another. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";

export interface Surroundings {
  readonly uid: number | undefined;
  readonly umask: string;
  readonly processors: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What the clock shows, as faketime(1) takes it; the time that it is if absent. */
  readonly clock?: string;
}

/** A user who owns nothing. */
export const NOBODY = 65534;
/** Another user, where this process may become one. */
export const OTHER_UID = process.getuid?.() === 0 ? NOBODY : undefined;

/** What a builder mostly is, and what another one may be. */
export const OFTEN_FOUND = { uid: undefined, umask: "022", processors: "0-1023" } as const;
export const SELDOM_FOUND = { uid: OTHER_UID, umask: "077", processors: "0", clock: "+400d" } as const;
export const SELDOM_SPOKEN = { TZ: "Pacific/Kiritimati", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" } as const;

/** Runs a program in these surroundings. */
export function runIn(
  { uid, umask, processors, environment, clock }: Surroundings,
  directory: string,
  command: readonly string[],
): SpawnSyncReturns<string> {
  const limits = ["-c", 'umask "$1"; shift; exec "$@"', "sh", umask, "taskset", "--cpu-list", processors];
  // A clock that stands elsewhere is enough; one that runs at another pace would be, too, for timers.
  const faked = clock === undefined ? [] : ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "faketime", "-f", clock];
  return spawnSync("sh", [...limits, ...faked, ...command], {
    env: environment,
    cwd: directory,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}
