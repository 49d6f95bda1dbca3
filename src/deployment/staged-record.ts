/** Which deployment waits for the next boot: a file of `/run`, so that no boot inherits it (spec/host.md 1.8). */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, corrupt, hasErrno } from "../errors/index.ts";
import { writeFileAtomically } from "../platform/index.ts";
import type { EtcPolicy } from "./etc-merge.ts";
import { isDeploymentId } from "./paths.ts";

export interface StagedRecord {
  readonly deploymentId: string;
  /** True: fetched only. It is not switched to at shutdown. */
  readonly downloadOnly: boolean;
  /** For the merge at shutdown. A key of our own, which bootc passes over and drops. */
  readonly etcPolicy: EtcPolicy;
  /**
   * Names of global add-ons that the image gives the host when it is switched to. A key of our own as well: they are for every
   * UKI, so none changes for an image that is fetched only, or dropped again.
   */
  readonly globalAddons: readonly string[];
}

const ETC_POLICIES: readonly EtcPolicy[] = ["keep", "theirs", "abort"];

const FOLDER = "composefs";
const FILE = "staged-deployment";

/** @param runDirectory `/run` */
export function stagedRecordPath(runDirectory: string): string {
  return join(runDirectory, FOLDER, FILE);
}

/**
 * @returns undefined when nothing is staged
 * @throws SealrootError `corrupt` for a file that bootc and we did not write
 */
export function readStagedRecord(runDirectory: string): StagedRecord | undefined {
  const path = stagedRecordPath(runDirectory);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw asSealrootError(error, "Cannot read which deployment is staged", { path });
  }
  const record = parseRecord(text);
  if (record !== undefined) return record;
  throw corrupt("Cannot read which deployment is staged: the file is not a record of one", { path, actual: text });
}

function parseRecord(text: string): StagedRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("depl_id" in value)) return undefined;
  const locked = "finalization_locked" in value ? value.finalization_locked : false;
  if (typeof value.depl_id !== "string" || typeof locked !== "boolean") return undefined;
  const named = "etc" in value ? value.etc : "abort";
  const etcPolicy = ETC_POLICIES.find((policy) => policy === named);
  const globalAddons: unknown = "global_addons" in value ? value.global_addons : [];
  if (!Array.isArray(globalAddons) || !globalAddons.every((name): name is string => typeof name === "string"))
    return undefined;
  if (etcPolicy === undefined || !isDeploymentId(value.depl_id)) return undefined;
  return { deploymentId: value.depl_id, downloadOnly: locked, etcPolicy, globalAddons };
}

/** Written last of all that is staged: its presence is what makes a deployment staged. */
export function writeStagedRecord(
  runDirectory: string,
  {
    deploymentId,
    downloadOnly,
    etcPolicy = "abort",
    globalAddons = [],
  }: Pick<StagedRecord, "deploymentId" | "downloadOnly"> & Partial<StagedRecord>,
): void {
  const path = stagedRecordPath(runDirectory);
  // Canonical as bootc writes it: sorted keys.
  const record = {
    depl_id: deploymentId,
    ...(etcPolicy === "abort" ? {} : { etc: etcPolicy }),
    finalization_locked: downloadOnly,
    ...(globalAddons.length === 0 ? {} : { global_addons: globalAddons }),
  };
  try {
    mkdirSync(join(runDirectory, FOLDER), { recursive: true });
    writeFileAtomically(path, JSON.stringify(record));
  } catch (error) {
    throw asSealrootError(error, "Cannot record which deployment is staged", { path });
  }
}

/** Nothing is staged any more. */
export function removeStagedRecord(runDirectory: string): void {
  rmSync(stagedRecordPath(runDirectory), { force: true });
}
