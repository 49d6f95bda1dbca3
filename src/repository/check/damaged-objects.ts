/** Which objects a check found to be unusable: those that are damaged, and those that are not there. */
import type { VerityAlgorithm } from "../../verity/index.ts";
import { objectIdOfLinkTarget } from "../names.ts";
import type { Repository } from "../repository.ts";
import { brokenObjects } from "./fsck-hits.ts";
import type { Finding, FsckReport } from "./fsck-report.ts";

/** The objects that must be made or fetched again, by what a check of this repository reported. */
export function damagedObjects(repository: Repository, report: FsckReport): Set<string> {
  const damaged = brokenObjects(repository, report);
  for (const finding of report.errors) {
    const id = missingObject(finding, repository.algorithm);
    if (id !== undefined) damaged.add(id);
  }
  return damaged;
}

/** The object that a finding is about; undefined for findings about something else. */
export function objectOfFinding(repository: Repository, finding: Finding): string | undefined {
  const { kind, path } = finding;
  if (kind.startsWith("object-")) return path.replace(/^objects/, "").replaceAll("/", "");
  return missingObject(finding, repository.algorithm) ?? objectOfEntry(repository, path);
}

function missingObject({ kind, detail = "" }: Finding, algorithm: VerityAlgorithm): string | undefined {
  switch (kind) {
    case "missing-object-ref":
    case "image-missing-object":
      return detail;
    case "missing-named-ref":
      // `ref NAME: ID`
      return detail.slice(detail.lastIndexOf(" ") + 1);
    case "broken-symlink":
      return objectIdOfLinkTarget(detail, algorithm);
    default:
      return undefined;
  }
}

function objectOfEntry({ streams, images }: Repository, path: string): string | undefined {
  const [kind, entry = "", ...more] = path.split("/");
  if (more.length > 0 || entry === "") return undefined;
  const links = [streams, images].find((store) => store.kind === kind);
  return links?.entries().find((link) => link.entry === entry)?.objectId;
}
