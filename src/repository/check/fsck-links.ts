/** Checking the links of one kind and their references. */

import { existsSync, readlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { sortedEntries } from "../../objects/index.ts";
import type { VerityAlgorithm } from "../../verity/index.ts";
import type { LinkEntry } from "../link-store.ts";
import { type LinkKind, objectIdOfLinkTarget } from "../names.ts";
import type { Finding } from "./fsck-report.ts";

export interface CheckedLinks {
  /** Paths of all top-level entries, relative to the repository. */
  readonly topLevel: ReadonlySet<string>;
  /** Those that lead to an existing object. */
  readonly entries: readonly LinkEntry[];
  readonly findings: readonly Finding[];
}

/** Checks every link of `streams/` or `images/`, and every reference below `refs/`. */
export function checkLinks(repositoryPath: string, kind: LinkKind, algorithm: VerityAlgorithm): CheckedLinks {
  const topLevel = new Set<string>();
  const entries: LinkEntry[] = [];
  const findings: Finding[] = [];
  for (const link of sortedEntries(join(repositoryPath, kind))) {
    const path = join(kind, link.name);
    if (link.name === "refs" && link.isDirectory()) {
      checkReferences(repositoryPath, kind, path, findings);
      continue;
    }
    topLevel.add(path);
    if (!isText(link.name)) {
      findings.push({ kind: "entry-invalid-name", path });
      continue;
    }
    if (!link.isSymbolicLink()) {
      findings.push({ kind: "entry-not-symlink", path });
      continue;
    }
    const target = readlinkSync(join(repositoryPath, path));
    const objectId = objectIdOfLinkTarget(target, algorithm);
    if (objectId === undefined || !existsSync(resolve(repositoryPath, kind, target))) {
      findings.push({ kind: "broken-symlink", path, detail: target });
    } else entries.push({ entry: link.name, objectId });
  }
  return { topLevel, entries, findings };
}

/** Node replaces what is not UTF-8 by U+FFFD; such a name cannot be opened, and no tool makes one. */
function isText(name: string): boolean {
  return !name.includes("\ufffd");
}

function checkReferences(repositoryPath: string, kind: LinkKind, directory: string, findings: Finding[]): void {
  for (const child of sortedEntries(join(repositoryPath, directory))) {
    const path = join(directory, child.name);
    if (!isText(child.name)) findings.push({ kind: "entry-invalid-name", path });
    else if (child.isDirectory()) checkReferences(repositoryPath, kind, path, findings);
    else if (!child.isSymbolicLink()) findings.push({ kind: "unexpected-file-type", path });
    else checkReference(repositoryPath, kind, path, findings);
  }
}

function checkReference(repositoryPath: string, kind: LinkKind, path: string, findings: Finding[]): void {
  const target = readlinkSync(join(repositoryPath, path));
  const entryPath = resolve(repositoryPath, dirname(path), target);
  if (dirname(entryPath) !== join(repositoryPath, kind)) {
    findings.push({ kind: "reference-outside-category", path, detail: target });
  } else if (!existsSync(entryPath)) findings.push({ kind: "broken-symlink", path, detail: target });
}
