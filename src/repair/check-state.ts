/** Origin files and state directories (spec/host.md 1.2). */

import { lstatSync, readlinkSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { originPath, stateDirectory, VAR_LINK_TARGET, writeEtc } from "../deployment/index.ts";
import { asSealrootError } from "../errors/index.ts";
import { etcOfDeployment, type HostPlaces } from "../host/index.ts";
import { syncDirectory, temporaryDirectory } from "../platform/index.ts";
import type { Repository } from "../repository/index.ts";
import type { MendableFault } from "./fault.ts";
import type { KeptDeployment, KeptDeployments } from "./kept-deployments.ts";

const SHARED_VAR = "state/os/default/var";

/** @param repository undefined when it cannot be opened */
export function checkState(
  { physicalRoot }: HostPlaces,
  { deployments, records }: KeptDeployments,
  repository: Repository | undefined,
): MendableFault[] {
  const faults: MendableFault[] = [];
  const add = (
    kind: MendableFault["kind"],
    subject: string,
    deploymentId: string | undefined,
    detail: string,
    mend?: () => void | Promise<void>,
  ) =>
    faults.push({
      ...{ kind, subject, detail, deployments: deploymentId === undefined ? [] : [deploymentId] },
      ...{ repairable: mend !== undefined, mend },
    });
  for (const deployment of deployments) {
    const { deploymentId, record } = deployment;
    const state = stateDirectory(deploymentId);
    if (kindAt(physicalRoot, state) !== "directory") {
      add("entry-without-state", state, deploymentId, "the deployment has no state directory");
      continue;
    }
    const unusable = records.unusable.find((other) => other.deploymentId === deploymentId);
    if (record === undefined) {
      add("origin-unusable", originPath(deploymentId), deploymentId, unusable?.error.message ?? "it cannot be read");
    } else if (record.origin.manifestDigest === undefined) {
      add("origin-unusable", originPath(deploymentId), deploymentId, "it names no manifest, so nothing can be fetched");
    }
    const etc = kindAt(physicalRoot, `${state}/etc`);
    if (etc !== "directory") {
      const canMend = etc === undefined && repository !== undefined && record !== undefined;
      const detail = etc === undefined ? "it is gone; what was changed in it is lost" : "it is not a directory";
      const mend = canMend ? () => remakeEtc(physicalRoot, repository, deployment) : undefined;
      add("state-damaged", `${state}/etc`, deploymentId, detail, mend);
    }
    const link = kindAt(physicalRoot, `${state}/var`);
    if (link === undefined) {
      add("state-damaged", `${state}/var`, deploymentId, "the link to the shared /var is gone", () =>
        writeVarLink(physicalRoot, state),
      );
    } else if (link !== "link" || readlinkSync(join(physicalRoot, state, "var")) !== VAR_LINK_TARGET) {
      const mend = link === "link" ? () => writeVarLink(physicalRoot, state) : undefined;
      add("state-damaged", `${state}/var`, deploymentId, `it is not a link to ${VAR_LINK_TARGET}`, mend);
    }
  }
  if (deployments.length > 0 && kindAt(physicalRoot, SHARED_VAR) !== "directory") {
    add("state-damaged", SHARED_VAR, undefined, "the /var of all deployments is not a directory");
  }
  return faults;
}

function kindAt(physicalRoot: string, path: string): "directory" | "link" | "other" | undefined {
  try {
    const found = lstatSync(join(physicalRoot, path), { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    return found.isDirectory() ? "directory" : found.isSymbolicLink() ? "link" : "other";
  } catch (error) {
    throw asSealrootError(error, "Cannot look at the state of the deployments", { path });
  }
}

/** As the image has it: it cannot boot without, and what was there is lost already. */
async function remakeEtc(physicalRoot: string, repository: Repository, { deploymentId, record }: KeptDeployment) {
  const next = await etcOfDeployment(repository, record?.origin.manifestDigest, deploymentId);
  await writeEtc({ repository, next, targetPath: join(physicalRoot, stateDirectory(deploymentId), "etc") });
}

function writeVarLink(physicalRoot: string, state: string): void {
  const path = join(physicalRoot, state, "var");
  using hidden = temporaryDirectory({ parent: dirname(path), purpose: "state" });
  symlinkSync(VAR_LINK_TARGET, join(hidden.path, "var"));
  renameSync(join(hidden.path, "var"), path);
  syncDirectory(dirname(path));
}
