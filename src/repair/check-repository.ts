/** The repository of a host: meta.json, what `repo fsck` checks, and the images that deployments are made of. */

import { join } from "node:path";
import { REPOSITORY_PATH } from "../deployment/index.ts";
import { asSealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import type { HostPlaces } from "../host/index.ts";
import { isWholeImage, manifestStreamName } from "../imagestore/index.ts";
import {
  checkRepository,
  damagedObjects,
  type Finding,
  type FsckReport,
  metaState,
  neededObjects,
  objectOfFinding,
  openRepository,
  type Repository,
  restoreMeta,
} from "../repository/index.ts";
import type { Fault, MendableFault } from "./fault.ts";
import type { KeptDeployment } from "./kept-deployments.ts";

export interface RepositoryCheck {
  readonly faults: readonly Fault[];
  readonly report: FsckReport;
  /** Objects that must be made or fetched again. */
  readonly damaged: ReadonlySet<string>;
}

const META = `${REPOSITORY_PATH}/meta.json`;
/** bootc's hosts know no other. */
const HOST_ALGORITHM = "sha512";

/**
 * The fault of meta.json, which is mended before the repository is opened.
 * @param requireVerity the deployments insist on fs-verity
 */
export function checkMeta({ physicalRoot }: HostPlaces, requireVerity: boolean): MendableFault[] {
  const path = join(physicalRoot, REPOSITORY_PATH);
  const found = metaState(path);
  const isWrong = found.state === "unusable" || (found.state === "unprotected" && requireVerity);
  if (!isWrong) return [];
  return [
    {
      kind: found.state === "unusable" ? "metadata-parse-failed" : "metadata-verity-missing",
      subject: META,
      detail: found.state === "unusable" ? found.error.message : undefined,
      ...{ deployments: [], repairable: true },
      mend: () => restoreMeta(path, { algorithm: HOST_ALGORITHM, requireVerity }),
    },
  ];
}

/** @returns the repository, or why it cannot be used */
export async function openHostRepository({ physicalRoot }: HostPlaces): Promise<Repository | Fault> {
  try {
    return await openRepository(join(physicalRoot, REPOSITORY_PATH), { upgrade: false });
  } catch (error) {
    const { message: detail } = asSealrootError(error, "Cannot open the repository");
    return { kind: "repository-unusable", subject: REPOSITORY_PATH, detail, deployments: [], repairable: false };
  }
}

/** Reads everything, in worker threads; changes nothing. */
export async function checkHostRepository(
  repository: Repository,
  deployments: readonly KeptDeployment[],
  events: EventSink,
): Promise<RepositoryCheck> {
  const report = await checkRepository(repository, { events });
  const damaged = damagedObjects(repository, report);
  const needs = report.errors.length === 0 ? [] : deployments.map((one) => ({ one, needed: needsOf(repository, one) }));
  const faults = report.errors.map((finding): Fault => {
    const objectId = objectOfFinding(repository, finding);
    const concerned = needs.filter(({ needed }) => objectId !== undefined && needed.has(objectId));
    return {
      ...{ kind: finding.kind, subject: `${REPOSITORY_PATH}/${finding.path}`, detail: finding.detail },
      deployments: concerned.map(({ one }) => one.deploymentId),
      repairable: isRepairable(finding),
    };
  });
  const incomplete = await incompleteImages(repository, deployments, damaged);
  return { faults: [...faults, ...incomplete], report, damaged };
}

/** Whether it is mended by completing images; the rest needs `repo fsck --repair`, which removes things. */
function isRepairable({ kind, path }: Finding): boolean {
  if (kind === "object-invalid-name") return false;
  if (kind === "broken-symlink") return !path.includes("/refs/");
  return (
    kind.startsWith("object-") ||
    kind.startsWith("missing-") ||
    ["stream-open-failed", "stream-read-failed", "stream-content-mismatch"].includes(kind) ||
    ["image-open-failed", "image-invalid", "image-missing-object"].includes(kind)
  );
}

/** What no finding of the repository tells: a deployment's image, or a name of it, is not there at all. */
async function incompleteImages(
  repository: Repository,
  deployments: readonly KeptDeployment[],
  damaged: ReadonlySet<string>,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const { deploymentId, record } of deployments) {
    const manifestDigest = record?.origin.manifestDigest;
    if (manifestDigest === undefined) continue;
    // With damage about, what is readable says nothing, and each damage is a finding of its own.
    if (damaged.size > 0 || (await isWholeImage(repository, manifestDigest, [deploymentId]))) continue;
    const detail = "the image of the deployment is not completely in the repository";
    const subject = `${REPOSITORY_PATH}/streams/${manifestStreamName(manifestDigest)}`;
    faults.push({ kind: "image-incomplete", subject, detail, deployments: [deploymentId], repairable: true });
  }
  return faults;
}

/** The objects that a deployment needs, as far as its image can be read. */
export function needsOf(repository: Repository, { deploymentId, record }: KeptDeployment): Set<string> {
  const manifestDigest = record?.origin.manifestDigest;
  const streams = manifestDigest === undefined ? [] : [manifestStreamName(manifestDigest)];
  return neededObjects(repository, { streams, images: [deploymentId] });
}
