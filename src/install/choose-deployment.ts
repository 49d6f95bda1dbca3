/** Which deployment of an installed disk is meant, when the disk does not run. */
import { ukiPath } from "../bls/index.ts";
import { type BootFiles, type DefaultEntry, defaultEntry } from "../bootloader/index.ts";
import { SealrootError } from "../errors/index.ts";
import { readUki } from "../pe/index.ts";
import { onlyCandidate } from "../repository/index.ts";

/** An installed disk, however it is reached. */
export interface OfflineBoot {
  /** Undefined on a disk without one. */
  readonly esp: BootFiles | undefined;
  /** `/boot` of the physical root. */
  readonly boot: BootFiles;
  /** Ids of the deployments that have a state directory. */
  readonly deploymentIds: readonly string[];
}

/** The deployment that was chosen. */
export interface ChosenDeployment {
  readonly deploymentId: string;
  /** The kernel command line of its boot entry; undefined without an entry. */
  readonly commandLine: string | undefined;
}

/** Far above any UKI; bounds memory. */
const UKI_MAX_BYTES = 1 << 30;

/**
 * The deployment that boots by default, see {@link defaultEntry}; without any entry, the only one there is.
 *
 * @param wanted its id or the first digits, for another than the default
 * @param warn told of what stands among the entries and is none
 * @throws SealrootError `not-found` when there is none, or its state is missing; `conflict` when the default is another
 *   system's, or there are several and no entry; `usage` for digits of several; `corrupt` for its UKI
 */
export function chooseDeployment(
  boot: OfflineBoot,
  wanted: string | undefined,
  warn: (text: string) => void,
): ChosenDeployment {
  const entry = defaultEntry(boot.esp, boot.boot, (fileName, error) => warn(`${fileName}: ${error.message}`));
  if (wanted !== undefined) {
    const deploymentId = named(boot.deploymentIds, wanted);
    const isDefault = entry?.deploymentId === deploymentId;
    return { deploymentId, commandLine: isDefault ? commandLineOf(boot, entry) : ukiOf(boot, deploymentId) };
  }
  if (entry === undefined) return { deploymentId: only(boot.deploymentIds), commandLine: undefined };
  const { deploymentId } = entry;
  if (deploymentId === undefined) {
    throw new SealrootError(
      "conflict",
      `Cannot choose a deployment: the default boot entry ${entry.name} is another system's`,
      {
        hint: "name the deployment with --deployment",
      },
    );
  }
  if (!boot.deploymentIds.includes(deploymentId)) {
    throw new SealrootError(
      "not-found",
      `Cannot choose a deployment: the boot entry ${entry.name} starts one without state`,
      {
        expected: `state/deploy/${deploymentId}`,
      },
    );
  }
  return { deploymentId, commandLine: commandLineOf(boot, entry) };
}

function named(ids: readonly string[], wanted: string): string {
  const digits = wanted.toLowerCase();
  const candidates = ids.filter((id) => digits !== "" && id.startsWith(digits)).map((shown) => ({ shown }));
  const found = onlyCandidate(wanted, candidates)?.shown;
  if (found !== undefined) return found;
  throw new SealrootError("not-found", `Cannot choose a deployment: none has the id ${wanted}`, {
    actual: ids.length === 0 ? "no deployments" : ids.join(", "),
  });
}

function only(ids: readonly string[]): string {
  const [id, ...others] = ids;
  if (id === undefined) {
    throw new SealrootError("not-found", "Cannot choose a deployment: the disk has none", {
      expected: "state/deploy/ID",
    });
  }
  if (others.length === 0) return id;
  throw new SealrootError("conflict", `Cannot choose a deployment: there are ${ids.length} and no boot entry`, {
    actual: ids.join(", "),
    hint: "name the deployment with --deployment",
  });
}

/** Paths of entries are absolute in the ESP. */
function commandLineOf(boot: OfflineBoot, { name, start }: DefaultEntry): string {
  if ("commandLine" in start) return start.commandLine;
  const path = start.ukiPath.replace(/^\/+/, "");
  const bytes = boot.esp?.read(path, UKI_MAX_BYTES);
  if (bytes !== undefined) return readUki(bytes, path).commandLine ?? "";
  throw new SealrootError(
    "not-found",
    `Cannot choose a deployment: the UKI of the boot entry ${name} is not on the ESP`,
    {
      path: start.ukiPath,
    },
  );
}

/** Of a deployment that is not the default: its UKI has its name; without one nothing is known of its command line. */
function ukiOf(boot: OfflineBoot, deploymentId: string): string | undefined {
  const path = ukiPath(deploymentId).slice(1);
  const bytes = boot.esp?.read(path, UKI_MAX_BYTES);
  return bytes && (readUki(bytes, path).commandLine ?? "");
}
