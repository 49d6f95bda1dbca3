/** Parts of a report in words, which the lines and the page share. */
import { formatSize } from "../../bytes/index.ts";
import type { Finding, Link, LinkState } from "./link.ts";
import { firstBroken, type VerifyReport } from "./report.ts";

export const STATE_WORDS: Readonly<Record<LinkState, string>> = {
  verified: "verified",
  unchecked: "unchecked",
  weaker: "weaker",
  broken: "BROKEN",
};

/** A text with its digests cut. */
export function shortDigests(text: string): string {
  return text.replace(/\b([0-9a-f]{12})[0-9a-f]{52}(?:[0-9a-f]{64})?\b/g, (_, start: string) => `${start}…`);
}

/** What a finding says beyond its message. */
export function findingRows({ path, expected, found, remedy }: Finding): readonly (readonly [string, string])[] {
  const rows: [string, string | undefined][] = [
    ["path", path],
    ["expected", expected],
    ["found", found],
    ["remedy", remedy],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

export function linkText({ name, subject }: Link): string {
  return `${name} ${shortDigests(subject)}`;
}

export function hashedText({ objects, bytes }: VerifyReport["hashed"]): string {
  return objects === 0
    ? "no object was hashed"
    : `${objects} ${objects === 1 ? "object" : "objects"}, ${formatSize(bytes)} hashed`;
}

/** The one sentence. */
export function verdictText(report: VerifyReport): string {
  const broken = firstBroken(report.links);
  if (broken !== undefined) return `BROKEN at ${linkText(broken.link)}: ${shortDigests(broken.finding.message)}`;
  const hashed = hashedText(report.hashed);
  if (report.state === "weaker") return `every link holds, but some promise less than a sealed system does; ${hashed}`;
  if (report.state === "unchecked") return `verified, but for what is marked unchecked; ${hashed}`;
  return `verified; ${hashed}`;
}
