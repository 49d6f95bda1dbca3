/** Boot entries: each can be read and starts a deployment that is there, and none is lost. */
import { statSync } from "node:fs";
import { join } from "node:path";
import {
  entryFileName,
  formatBootEntry,
  osIdentity,
  parseCountedName,
  parseOsRelease,
  ukiEntry,
} from "../../bls/index.ts";
import { ukiKeyOfLoader, writeEspFile } from "../../bootloader/index.ts";
import { type DeploymentRecord, stateDirectory } from "../../deployment/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { readUki } from "../../pe/index.ts";
import type { HostPlaces } from "../host-places.ts";
import { type MendableFault, onEsp } from "./fault.ts";
import type { ImageBootFiles } from "./image-boot-files.ts";
import type { KeptDeployments } from "./kept-deployments.ts";
import { type EntryCandidate, type LostEntry, lostEntries } from "./lost-entries.ts";

const ENTRIES = "loader/entries";

/** @param imageOf the boot files of a deployment's image, as far as they are known */
export async function checkEntries(
  places: HostPlaces,
  kept: KeptDeployments,
  imageOf: (record: DeploymentRecord) => Promise<ImageBootFiles | undefined>,
): Promise<MendableFault[]> {
  const { bootDirectory } = places;
  const { live, liveError } = kept;
  if (bootDirectory === undefined || liveError !== undefined) {
    const detail = liveError?.message;
    return [{ kind: "esp-unusable", subject: onEsp(""), detail, deployments: [], repairable: false, mend: undefined }];
  }
  const left = live.entries.filter(({ deploymentId }) => deploymentId !== undefined);
  const brokenNames = live.unusable.map(({ fileName }) => fileName);
  const lost = lostEntries(left, brokenNames, await candidatesOf(places, kept, imageOf));
  const found = lost.map((entry) => entryFault(bootDirectory, brokenNames, entry));
  const replaced = new Set(found.map(({ subject }) => subject));
  const unusable = live.unusable.map(
    ({ fileName, error }): MendableFault => ({
      ...{ kind: "entry-unusable", subject: onEsp(`${ENTRIES}/${fileName}`), detail: error.message, deployments: [] },
      ...{ repairable: false, mend: undefined },
    }),
  );
  return [...found, ...unusable.filter(({ subject }) => !replaced.has(subject))];
}

/** What a lost entry may have started: a UKI whose deployment is there, and which nothing else starts. */
async function candidatesOf(
  places: HostPlaces,
  { deployments, records, live }: KeptDeployments,
  imageOf: (record: DeploymentRecord) => Promise<ImageBootFiles | undefined>,
): Promise<EntryCandidate[]> {
  const started = new Set(live.entries.map(({ deploymentId }) => deploymentId));
  const candidates: (EntryCandidate & { readonly isBooted: boolean; readonly writtenMs: number })[] = [];
  for (const record of records.deployments) {
    const { deploymentId, origin } = record;
    const known = deployments.find((deployment) => deployment.deploymentId === deploymentId);
    if (started.has(deploymentId) || known?.isStaged === true || origin.bootType !== "uki") continue;
    const osRelease = await osReleaseOf(record, imageOf);
    if (osRelease === undefined) continue;
    const os = osIdentity(parseOsRelease(osRelease));
    const entry = ukiEntry(os, deploymentId, "primary", ukiKey(live));
    const isBooted = known?.isBooted ?? false;
    candidates.push({
      ...{ deploymentId, isBooted, isCertain: isBooted || origin.pinned },
      entry: { fileName: entryFileName(os, deploymentId, "primary"), entry },
      writtenMs: statSync(join(places.physicalRoot, stateDirectory(deploymentId))).mtimeMs,
    });
  }
  // In a menu the deployment that runs comes before older ones.
  return candidates.sort((a, b) => Number(b.isBooted) - Number(a.isBooted) || b.writtenMs - a.writtenMs);
}

async function osReleaseOf(
  record: DeploymentRecord,
  imageOf: (record: DeploymentRecord) => Promise<ImageBootFiles | undefined>,
): Promise<string | undefined> {
  try {
    const uki = (await imageOf(record))?.uki;
    return uki && Buffer.from(readUki(uki.read(), uki.path).osRelease ?? []).toString("utf8");
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

/** The loader that reads the other entries reads one with the same key. */
function ukiKey({ entries }: KeptDeployments["live"]): "efi" | "uki" {
  const targets = entries.map(({ entry }) => entry.target);
  return targets.flatMap((target) => (target.type === "uki" ? [target.key] : []))[0] ?? ukiKeyOfLoader(undefined);
}

function entryFault(
  bootDirectory: string,
  brokenNames: readonly string[],
  { deploymentId, entry }: LostEntry,
): MendableFault {
  if (entry === undefined) {
    const detail = "its boot entry is lost, and its place in the menu is not known";
    const subject = onEsp(ENTRIES);
    return { kind: "entry-missing", subject, detail, deployments: [deploymentId], repairable: false, mend: undefined };
  }
  const broken = brokenNames.find((name) => parseCountedName(name).base === parseCountedName(entry.fileName).base);
  const path = `${ENTRIES}/${broken ?? entry.fileName}`;
  const bytes = Buffer.from(formatBootEntry(entry.entry), "utf8");
  return {
    kind: broken === undefined ? "entry-missing" : "entry-unusable",
    ...{ subject: onEsp(path), detail: undefined, deployments: [deploymentId], repairable: true },
    mend: () => writeEspFile(bootDirectory, { path, bytes }),
  };
}
