/** What `repo fsck` does and prints; separate from the verb, whose help needs none of it. */
import { oneLine } from "../../errors/index.ts";
import { decodeTag, restoreImage, TAG_DIRECTORY } from "../../imagestore/index.ts";
import {
  brokenObjects,
  checkRepository,
  type FsckReport,
  findHitReferences,
  fsckFullJson,
  fsckJson,
  fsckLines,
  type RepairReport,
  type Repository,
  repairRepository,
} from "../../repository/index.ts";
import type { Invocation } from "./command.ts";
import type { FSCK_OPTIONS } from "./fsck-options.ts";

type FsckCall = Invocation<typeof FSCK_OPTIONS>;

/** Checks a repository and prints what was found. */
export async function checked(invocation: FsckCall, repository: Repository): Promise<FsckReport> {
  const metadataOnly = invocation.flag("metadata-only");
  const withoutStreamContents = invocation.flag("like-cfsctl");
  const report = await checkRepository(repository, { metadataOnly, withoutStreamContents, events: invocation.events });
  const hit = report.errors.length === 0 ? [] : findHitReferences(repository, brokenObjects(repository, report));
  print(invocation, report, () => fsckFullJson(report, { hit }));
  if (!invocation.json) for (const path of hit) invocation.output.remark(oneLine(`hit: ${referenceName(path)}`));
  for (const { path } of report.leftovers) invocation.output.remark(oneLine(`left over, gc removes it: ${path}`));
  return report;
}

/** Repairs a repository and prints what was done and what is still wrong. */
export async function repaired(invocation: FsckCall, repository: Repository): Promise<FsckReport> {
  const { events, output } = invocation;
  const report: RepairReport = await repairRepository(repository, {
    events,
    restore: async () => {
      for (const reference of invocation.list("from")) await restoreImage(repository, reference, events);
    },
  });
  if (invocation.option("json") === undefined && !invocation.json) {
    for (const path of report.hit) output.line(oneLine(`hit: ${referenceName(path)}`));
    for (const path of report.removed) output.line(oneLine(`removed: ${path}`));
    for (const path of report.protected) output.line(`fs-verity enabled: ${path}`);
  }
  print(invocation, report.after, () => fsckFullJson(report.after, { hit: report.hit, repair: report }));
  if (report.after.missingObjects > 0) {
    output.remark("fetch what is missing with --repair --from IMAGE, or remove the affected tags and run gc");
  }
  return report.after;
}

function print(invocation: FsckCall, report: FsckReport, full: () => object): void {
  const { output } = invocation;
  if (invocation.option("json") === "full") output.json(full());
  else if (invocation.json) output.json(fsckJson(report));
  else for (const line of fsckLines(report)) output.line(line);
}

/** References in the user's terms: an OCI image by its tag. */
function referenceName(path: string): string {
  const tag = `streams/refs/${TAG_DIRECTORY}/`;
  return path.startsWith(tag) ? `image "${decodeTag(path.slice(tag.length))}"` : path;
}
