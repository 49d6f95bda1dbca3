/** The state directory of a new deployment on a running host (spec/host.md 1.2). */
import { chmodSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import {
  type DeploymentRecord,
  formatOrigin,
  originPath,
  stateDirectory,
  VAR_LINK_TARGET,
  writeEtc,
} from "../deployment/index.ts";
import { asSealrootError } from "../errors/index.ts";
import type { StepReporter } from "../events/index.ts";
import { removeTree, syncDirectory, temporaryDirectory, writeFileAtomically } from "../platform/index.ts";
import type { Repository } from "../repository/index.ts";
import type { DirectoryNode } from "../tree/index.ts";

export interface NewState {
  readonly physicalRoot: string;
  readonly repository: Repository;
  readonly record: DeploymentRecord;
  /** As etcOfImage() gives it. */
  readonly etc: DirectoryNode;
  readonly reporter?: StepReporter;
}

const STATE_DEPLOY = "state/deploy";
const STATE_MODE = 0o755;

/**
 * Writes the directory under a hidden name and gives it its own last; it is durable then. What an interrupted staging
 * left under that name is replaced: the caller knows that it is no deployment.
 *
 * @throws SealrootError as writeEtc
 */
export async function writeStateDirectory(state: NewState): Promise<void> {
  const { physicalRoot, repository, record, etc, reporter } = state;
  const parent = join(physicalRoot, STATE_DEPLOY);
  const path = join(physicalRoot, stateDirectory(record.deploymentId));
  try {
    using hidden = temporaryDirectory({ parent, purpose: "state" });
    chmodSync(hidden.path, STATE_MODE);
    const targetPath = join(hidden.path, "etc");
    await writeEtc({ repository, next: etc, targetPath, ...(reporter === undefined ? {} : { reporter }) });
    symlinkSync(VAR_LINK_TARGET, join(hidden.path, "var"));
    const [originName = ""] = originPath(record.deploymentId).split("/").slice(-1);
    writeFileAtomically(join(hidden.path, originName), formatOrigin(record.origin));
    removeTree(path);
    renameSync(hidden.path, path);
    syncDirectory(parent);
  } catch (error) {
    throw asSealrootError(error, "Cannot write the state directory of the deployment", { path });
  }
}
