/** `sealroot repo fsck`. */
import { oneLine, SealrootError } from "../../errors/index.ts";
import { decodeTag, restoreImage, TAG_DIRECTORY } from "../../oci/index.ts";
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
import type { Command, Invocation } from "../command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../repository-option.ts";

export const repoFsck: Command = {
  description: `Checks settings, the content of every object, streams with what they refer to and stand for, images with their
objects, and all references. Exits with 1 when something is wrong, with --json too.

Without --repair nothing is changed. With it, what is damaged or leads nowhere is removed, and what is missing is fetched
from the images that --from names; what then still is wrong decides the exit code.`,
  options: [
    { flags: "--metadata-only", summary: "do not read the contents of objects and streams" },
    { flags: "--repair", summary: "remove what is damaged; waits until nobody else uses the repository" },
    { flags: "--from <IMAGE>", summary: "with --repair: fetch what is missing of this image again", repeat: true },
    { flags: "--json [FORM]", summary: "print the result as JSON; full: with everything known", choices: ["full"] },
    ...REPOSITORY_OPTIONS,
  ],
  examples: [
    "sealroot repo fsck --repo R",
    "sealroot repo fsck --json=full",
    "sealroot repo fsck --repair --from oci:os",
  ],
  async run(invocation) {
    const repair = invocation.flag("repair");
    if (!repair && invocation.list("from").length > 0) {
      throw new SealrootError("usage", "Cannot fetch anything: --from needs --repair");
    }
    if (repair && invocation.flag("metadata-only")) {
      throw new SealrootError("usage", "Cannot repair what was not read: give --repair or --metadata-only");
    }
    using repository = await openSelectedRepository(invocation);
    const report = repair ? await repaired(invocation, repository) : await checked(invocation, repository);
    return report.errors.length === 0 ? 0 : 1;
  },
};

async function checked(invocation: Invocation, repository: Repository): Promise<FsckReport> {
  const metadataOnly = invocation.flag("metadata-only");
  const report = await checkRepository(repository, { metadataOnly, events: invocation.events });
  const hit = report.errors.length === 0 ? [] : findHitReferences(repository, brokenObjects(repository, report));
  print(invocation, report, () => fsckFullJson(report, { hit }));
  if (!invocation.json) for (const path of hit) invocation.output.remark(oneLine(`hit: ${referenceName(path)}`));
  for (const { path } of report.leftovers) invocation.output.remark(oneLine(`left over, gc removes it: ${path}`));
  return report;
}

async function repaired(invocation: Invocation, repository: Repository): Promise<FsckReport> {
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
    output.remark("fetch what is missing with --repair --from IMAGE, or remove the tags of what is hit and run gc");
  }
  return report.after;
}

function print(invocation: Invocation, report: FsckReport, full: () => object): void {
  const { output } = invocation;
  if (invocation.option("json") === "full") output.json(full());
  else if (invocation.json) output.json(fsckJson(report));
  else for (const line of fsckLines(report)) output.line(line);
}

/** References as people know them: an OCI image by its tag. */
function referenceName(path: string): string {
  const tag = `streams/refs/${TAG_DIRECTORY}/`;
  return path.startsWith(tag) ? `image "${decodeTag(path.slice(tag.length))}"` : path;
}
