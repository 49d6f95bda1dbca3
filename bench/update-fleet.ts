/**
 * 10,000 hosts that follow one image, and what their automatic updates do to its registry: a simulation with the
 * decisions of src/update/automatic/ and, beside them, of timers without them. No network, no clock: the same figures at
 * every run. `node bench/update-fleet.ts` prints the table for RESULTS.md.
 */
import { decideUpdate } from "../src/update/automatic/decision.ts";
import { DEFAULT_SETTINGS } from "../src/update/automatic/settings.ts";
import { hostFraction } from "../src/update/automatic/spread.ts";

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;

/** Requests of one question: the API version and the manifest. Those of the update: configuration and layers. */
const REQUESTS = { question: 2, update: 6 };

/** When a host asks next. `sinceMs` is the end of its last question, or its boot. */
export interface FleetHost {
  readonly bootMs: number;
  next(nowMs: number, failures: number): number;
}

/** How hosts come to their moments. */
export interface FleetPolicy {
  readonly name: string;
  host(machineId: string, bootMs: number, random: () => number): FleetHost;
}

export interface FleetSituation {
  readonly name: string;
  /** Of the host with this number. */
  boot(random: () => number): number;
  /** From when on the registry has the update. */
  readonly publishedMs: number;
  /** While it answers nobody. */
  readonly outage?: { readonly fromMs: number; readonly untilMs: number };
}

export interface FleetResult {
  /** Requests in the busiest second, and on average in the busiest minute. */
  readonly peakPerSecond: number;
  readonly peakMinutePerSecond: number;
  /** From publication until this share of the hosts have fetched the update. */
  readonly halfMs: number;
  readonly ninetyMs: number;
  readonly allMs: number;
}

/** systemd runs a timer within a minute after its time, at a place that depends on the machine (AccuracySec=). */
const ACCURACY_MS = MINUTE_MS;
/** Of sealroot-fetch-apply-updates.timer: how often the host looks at its clock. */
const TICK_MS = 10 * MINUTE_MS;

export const POLICIES: readonly FleetPolicy[] = [
  {
    name: "every 8 h by the clock, no jitter",
    host: (machineId, bootMs) => {
      const accuracyMs = hostFraction(machineId, "accuracy") * ACCURACY_MS;
      return {
        bootMs,
        next: (nowMs) => Math.ceil((nowMs + 1 - accuracyMs) / (8 * HOUR_MS)) * 8 * HOUR_MS + accuracyMs,
      };
    },
  },
  {
    name: "bootc's timer: 1 h after boot, then every 8 h, each up to 2 h later",
    host: (_, bootMs, random) => {
      return { bootMs, next: (nowMs) => (nowMs === bootMs ? HOUR_MS : 8 * HOUR_MS) + nowMs + random() * 2 * HOUR_MS };
    },
  },
  {
    name: "sealroot's",
    host: (machineId, bootMs, random) => {
      const tickMs = random() * TICK_MS;
      const fraction = (purpose: string) => hostFraction(machineId, purpose);
      const clock = { day: 0, minutes: 0 };
      return {
        bootMs,
        next: (nowMs, failures) => {
          const record = { lastCheckMs: nowMs === bootMs ? undefined : nowMs, failures };
          const settings = DEFAULT_SETTINGS;
          const { nextCheckMs } = decideUpdate({ settings, record, fraction, nowMs, bootMs, clock, isStaged: false });
          return bootMs + tickMs + Math.ceil((nextCheckMs - bootMs - tickMs) / TICK_MS) * TICK_MS;
        },
      };
    },
  },
];

/** Midnight in UTC; everything happens in the days after it. */
const START_MS = 20_000 * 24 * HOUR_MS;
const WEEK_MS = 7 * 24 * HOUR_MS;

export const SITUATIONS: readonly FleetSituation[] = [
  {
    name: "started on different days",
    boot: (random) => START_MS - random() * WEEK_MS,
    publishedMs: START_MS + 3 * HOUR_MS,
  },
  {
    name: "all started within two minutes, after a power failure",
    boot: (random) => START_MS + 3 * HOUR_MS - random() * 2 * MINUTE_MS,
    publishedMs: START_MS + 3 * HOUR_MS,
  },
  {
    name: "the registry is down for 4 h, and comes back with the update",
    boot: (random) => START_MS - random() * WEEK_MS,
    publishedMs: START_MS + 15 * HOUR_MS,
    outage: { fromMs: START_MS + 11 * HOUR_MS, untilMs: START_MS + 15 * HOUR_MS },
  },
];

/** Lets every host live until it has the update. Requests before the publication count from a day before it on. */
export function simulateFleet(policy: FleetPolicy, situation: FleetSituation, hosts = 10_000): FleetResult {
  const random = numbers(1);
  const { publishedMs, outage } = situation;
  const fromMs = publishedMs - 24 * HOUR_MS;
  const perSecond = new Map<number, number>();
  const got: number[] = [];
  for (let number = 0; number < hosts; number++) {
    const machineId = number.toString(16).padStart(32, "0");
    const host = policy.host(machineId, situation.boot(random), random);
    let failures = 0;
    for (let nowMs = host.next(host.bootMs, 0); ; nowMs = host.next(nowMs, failures)) {
      const isDown = outage !== undefined && nowMs >= outage.fromMs && nowMs < outage.untilMs;
      const hasUpdate = !isDown && nowMs >= publishedMs;
      const requests = isDown ? 1 : REQUESTS.question + (hasUpdate ? REQUESTS.update : 0);
      const second = Math.floor(nowMs / SECOND_MS);
      if (nowMs >= fromMs) perSecond.set(second, (perSecond.get(second) ?? 0) + requests);
      failures = isDown ? failures + 1 : 0;
      if (!hasUpdate) continue;
      got.push(nowMs - publishedMs);
      break;
    }
  }
  got.sort((a, b) => a - b);
  const share = (part: number) => got[Math.ceil(hosts * part) - 1] ?? Number.NaN;
  const perMinute = new Map<number, number>();
  for (const [second, count] of perSecond) {
    const minute = Math.floor(second / 60);
    perMinute.set(minute, (perMinute.get(minute) ?? 0) + count);
  }
  return {
    peakPerSecond: Math.max(...perSecond.values()),
    peakMinutePerSecond: Math.max(...perMinute.values()) / 60,
    halfMs: share(0.5),
    ninetyMs: share(0.9),
    allMs: share(1),
  };
}

/** Equal seeds give equal numbers (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function tableLines(): string[] {
  const hours = (ms: number) => `${(ms / HOUR_MS).toFixed(1)} h`;
  const rows = SITUATIONS.flatMap((situation) =>
    POLICIES.map((policy) => {
      const result = simulateFleet(policy, situation);
      const { peakPerSecond, peakMinutePerSecond, halfMs, ninetyMs, allMs } = result;
      const cells = [peakPerSecond, peakMinutePerSecond.toFixed(1), hours(halfMs), hours(ninetyMs), hours(allMs)];
      return `| ${[situation.name, policy.name, ...cells].join(" | ")} |`;
    }),
  );
  const head =
    "| hosts | timer | requests in the busiest second | in the busiest minute, a second | 50 % | 90 % | all |";
  return [head, "|---|---|--:|--:|--:|--:|--:|", ...rows];
}

if (import.meta.main) for (const line of tableLines()) console.log(line);
