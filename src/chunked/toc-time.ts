/** Instants in tables of contents: RFC 3339 with up to nine digits of fraction, in any zone (spec/chunked-and-policy.md 1.3). */
import { corrupt } from "../errors/index.ts";

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
const NS_PER_MS = 1_000_000n;
/** 0001-01-01T00:00:00Z, Go's time without a value. */
const YEAR_ONE_NS = -62_135_596_800_000n * NS_PER_MS;

/**
 * Nanoseconds since the epoch; undefined for what counts as unset: absent, Go's year 1, the epoch itself.
 * @throws SealrootError `corrupt`
 */
export function readTocTime(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const match = RFC3339.exec(text);
  if (match === null) throw corrupt(`Cannot read table of contents: "${text.slice(0, 64)}" is not a time`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) {
    throw corrupt(`Cannot read table of contents: "${text}" is not a time`);
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute - zoneMinutes(match[8] ?? "Z"), second);
  return meaningfulTime(BigInt(date.getTime()) * NS_PER_MS + BigInt((match[7] ?? "").padEnd(9, "0")));
}

function zoneMinutes(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return zone.startsWith("-") ? -minutes : minutes;
}

/** The time, or undefined if readers see none. */
export function meaningfulTime(timeNs: bigint | undefined): bigint | undefined {
  return timeNs === 0n || timeNs === YEAR_ONE_NS ? undefined : timeNs;
}

/** In UTC, without trailing zeros of the fraction, as in Go; undefined for years without four digits. */
export function formatTocTime(timeNs: bigint): string | undefined {
  const fractionNs = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const date = new Date(Number((timeNs - fractionNs) / NS_PER_MS));
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) return undefined;
  const fraction = String(fractionNs).padStart(9, "0").replace(/0+$/, "");
  return `${date.toISOString().slice(0, 19)}${fraction === "" ? "" : `.${fraction}`}Z`;
}
