/** Boot entries: each can be read, and none is lost. */

import {
  entryFileName,
  formatBootEntry,
  type NamedEntry,
  osIdentity,
  parseCountedName,
  parseOsRelease,
  ukiEntry,
} from "../bls/index.ts";
import { GRUB_MENU, GRUB_MENU_FOLDER, hasGrubMenu, ukiKeyOfLoader, writeEspFile } from "../bootloader/index.ts";
import type { DeploymentRecord } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type HostPlaces, menuOrder } from "../host/index.ts";
import { readUki } from "../pe/index.ts";
import { type MendableFault, onEsp } from "./fault.ts";
import type { ImageBootFiles } from "./image-boot-files.ts";
import type { KeptDeployment, KeptDeployments } from "./kept-deployments.ts";
import { lostEntry } from "./lost-entries.ts";

type ImageOf = (record: DeploymentRecord | undefined) => Promise<ImageBootFiles | undefined>;

const ENTRIES = "loader/entries";
const GRUB_MENU_PATH = `${GRUB_MENU_FOLDER}/${GRUB_MENU}`;

/** @param imageOf the boot files of a deployment's image, as far as they are known */
export async function checkEntries(
  places: HostPlaces,
  kept: KeptDeployments,
  imageOf: ImageOf,
): Promise<MendableFault[]> {
  const { bootDirectory } = places;
  const isMenu = bootDirectory !== undefined && hasGrubMenu(bootDirectory, menuOrder(places.bootLoader));
  const { live, liveError, deployments } = kept;
  if (bootDirectory === undefined || liveError !== undefined) {
    const detail = liveError?.message;
    return [{ kind: "esp-unusable", subject: onEsp(""), detail, deployments: [], repairable: false, mend: undefined }];
  }
  const faults: MendableFault[] = [];
  for (const deployment of deployments) {
    if (deployment.lost !== undefined && isMenu) {
      // Of a menu that cannot be read it is not known.
      if (!live.unusable.some(({ fileName }) => fileName === GRUB_MENU)) faults.push(lostInMenu(deployment));
    } else if (deployment.lost !== undefined) faults.push(await lostFault(bootDirectory, kept, deployment, imageOf));
    else if (deployment.isStaged && deployment.entry === undefined) faults.push(stagedFault(deployment));
  }
  const replaced = new Set(faults.map(({ subject }) => subject));
  for (const { fileName, error } of live.unusable) {
    const subject = onEsp(isMenu ? GRUB_MENU_PATH : `${ENTRIES}/${fileName}`);
    if (replaced.has(subject)) continue;
    const detail = error.message;
    faults.push({ kind: "entry-unusable", subject, detail, deployments: [], repairable: false, mend: undefined });
  }
  return faults;
}

async function lostFault(
  bootDirectory: string,
  kept: KeptDeployments,
  deployment: KeptDeployment,
  imageOf: ImageOf,
): Promise<MendableFault> {
  const { deploymentId, record, lost } = deployment;
  const left = kept.live.entries.filter((entry) => entry.deploymentId !== undefined);
  const own = await entryOf(deployment, kept, imageOf);
  const entry = own && lost && lostEntry(left, own, lost);
  if (entry === undefined) {
    const isKnown = lost?.index !== undefined && record?.origin.manifestDigest !== undefined;
    return {
      ...{ kind: "entry-missing", subject: onEsp(ENTRIES), deployments: [deploymentId], mend: undefined },
      detail: own === undefined ? undefined : "its place between the other entries is not known",
      // Before its image is whole it cannot be said how the entry is called.
      repairable: own === undefined && isKnown,
    };
  }
  const isSame = (fileName: string) => parseCountedName(fileName).base === parseCountedName(entry.fileName).base;
  const broken = kept.live.unusable.map(({ fileName }) => fileName).find(isSame);
  const path = `${ENTRIES}/${broken ?? entry.fileName}`;
  const bytes = Buffer.from(formatBootEntry(entry.entry), "utf8");
  return {
    kind: broken === undefined ? "entry-missing" : "entry-unusable",
    ...{ subject: onEsp(path), detail: undefined, deployments: [deploymentId], repairable: true },
    mend: () => writeEspFile(bootDirectory, { path, bytes }),
  };
}

/** Its place in the menu of GRUB is not known: an update writes a whole one. */
function lostInMenu({ deploymentId }: KeptDeployment): MendableFault {
  return {
    ...{ kind: "entry-missing", subject: onEsp(GRUB_MENU_PATH), deployments: [deploymentId] },
    ...{ detail: "its place in GRUB's menu is not known", repairable: false, mend: undefined },
  };
}

/** Nothing is lost but the update: it is staged again by an upgrade. */
function stagedFault({ deploymentId }: KeptDeployment): MendableFault {
  return {
    ...{ kind: "entry-missing", subject: onEsp("loader/entries.staged"), deployments: [deploymentId] },
    ...{ detail: "the staged deployment has no boot entry: stage it again", repairable: false, mend: undefined },
  };
}

/** The entry as it would stand in the menu by itself. */
async function entryOf(
  { deploymentId, record }: KeptDeployment,
  kept: KeptDeployments,
  imageOf: ImageOf,
): Promise<NamedEntry | undefined> {
  try {
    const uki = (await imageOf(record))?.uki;
    if (uki === undefined) return undefined;
    const osRelease = Buffer.from(readUki(uki.read(), uki.path).osRelease ?? []).toString("utf8");
    const os = osIdentity(parseOsRelease(osRelease));
    const fileName = entryFileName(os, deploymentId, "primary");
    return { fileName, entry: ukiEntry(os, deploymentId, "primary", ukiKey(kept)) };
  } catch (error) {
    // What is wrong with the image is found in the repository.
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

/** The loader that reads the other entries reads one with the same key. */
function ukiKey({ live }: KeptDeployments): "efi" | "uki" {
  const targets = live.entries.map(({ entry }) => entry.target);
  return targets.flatMap((target) => (target.type === "uki" ? [target.key] : []))[0] ?? ukiKeyOfLoader(undefined);
}
