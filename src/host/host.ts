/** What a host is made of: its deployments by their roles, and everything about it that is wrong. */
import type { CommandLine } from "../bls/index.ts";
import type { StoredEntry } from "../bootloader/index.ts";
import type { DeploymentRecord } from "../deployment/index.ts";
import type { SealrootError } from "../errors/index.ts";
import type { UsrOverlay } from "./booted-root.ts";
import type { FailedBoot } from "./boots/failed-boots.ts";
import type { EncryptedRoot } from "./encrypted-root.ts";
import type { BootLoaderName } from "./host-places.ts";

/** What the repository knows of the image that a deployment was made of. */
export interface DeploymentImage {
  /** `sha256:<hex>` of the manifest; of deployments of old bootc its hex alone, as that shows it. */
  readonly manifestDigest: string;
  /** The manifest's annotation org.opencontainers.image.version. */
  readonly version: string | undefined;
  /** When the image was made, as its configuration says. */
  readonly created: string | undefined;
  /** Such as `amd64`. */
  readonly architecture: string;
  /** Of its configuration. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

export interface HostDeployment extends DeploymentRecord {
  /** Undefined of a booted deployment whose entry is lost: it will not be booted again. */
  readonly entry: StoredEntry | undefined;
  /** That its kernel is started with; undefined when it cannot be read, and a problem says why. */
  readonly commandLine: CommandLine | undefined;
  /** Its command line accepts an image without fs-verity. */
  readonly missingVerityAllowed: boolean;
  /** Undefined when the repository cannot say; a problem says why. */
  readonly image: DeploymentImage | undefined;
  /** Its kernel is that of the booted one; undefined of that one, and when it is not known. */
  readonly sharesKernel: boolean | undefined;
  /** It can be changed to without the firmware: same kernel, same arguments. Never true of the booted one. */
  readonly softRebootCapable: boolean;
}

/** Something about the host that is wrong, by itself; everything else is still told. */
export interface HostProblem {
  /** What it is about: a deployment's id, the name of a boot entry, a path. */
  readonly subject: string;
  readonly error: SealrootError;
}

/** Room on a file system of the host. */
export interface HostSpace {
  readonly place: "ESP" | "root";
  readonly totalBytes: number;
  /** For root, as much as a service may use. */
  readonly freeBytes: number;
}

/** The deployment that waits for the next boot. */
export interface StagedHostDeployment extends HostDeployment {
  readonly downloadOnly: boolean;
  /** Names of global add-ons that come with it. */
  readonly globalAddons: readonly string[];
}

export interface Host {
  readonly staged: StagedHostDeployment | undefined;
  readonly booted: HostDeployment | undefined;
  readonly rollback: HostDeployment | undefined;
  /** In the order of the menu. */
  readonly others: readonly HostDeployment[];
  /** The live entries of deployments in the order of the menu, also of those about which no more could be read. */
  readonly entries: readonly StoredEntry[];
  /** The next boot takes another than the one that runs, without anything staged. */
  readonly rollbackQueued: boolean;
  readonly bootLoader: BootLoaderName;
  readonly usrOverlay: UsrOverlay | undefined;
  readonly isReadOnly: boolean;
  /** Of what could be looked at. */
  readonly space: readonly HostSpace[];
  /** Undefined of a root that is not encrypted, and when that cannot be told; a problem says why. */
  readonly encryption: EncryptedRoot | undefined;
  /** Deployments that used up their tries, newest first. */
  readonly failedBoots: readonly FailedBoot[];
  readonly problems: readonly HostProblem[];
}
