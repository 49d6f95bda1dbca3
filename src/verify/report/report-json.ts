/** A report as JSON (docs/schema/verify.json). */
import type { Finding, Link } from "./link.ts";
import { firstBroken, type VerifyReport } from "./report.ts";

export function reportJson(report: VerifyReport): unknown {
  const { target, kind, state, links, unsigned, foreign, hashed } = report;
  const broken = firstBroken(links);
  return {
    ...{ target, kind, state },
    holds: state !== "broken",
    firstBroken:
      broken === undefined
        ? null
        : { link: broken.link.name, subject: broken.link.subject, ...findingJson(broken.finding) },
    links: links.map((link) => ({ ...linkJson(link), links: link.links.map(linkJson) })),
    unsignedInputs: unsigned,
    foreignFiles: foreign,
    hashed: { objects: hashed.objects, sizeBytes: hashed.bytes },
  };
}

/** Links below a link have none of their own. */
function linkJson({ name, subject, state, by, facts, findings }: Link) {
  return { name, subject, state, by: by ?? null, facts, findings: findings.map(findingJson) };
}

function findingJson({ state, message, path, expected, found, remedy }: Finding) {
  return {
    ...{ state, message, path: path ?? null },
    ...{ expected: expected ?? null, found: found ?? null, remedy: remedy ?? null },
  };
}
