/** `install to-disk`: from an image reference to a bootable disk, without root where the disk is a plain file (spec/host-install.md 6 and 8). */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import type { EspLayout } from "../bootloader/index.ts";
import { formatRecoveryKey } from "../bootplan/index.ts";
import {
  type DeploymentRecord,
  imagePathOf,
  initialState,
  isRegistryReference,
  type Protection,
  targetReference,
} from "../deployment/index.ts";
import {
  checkDisk,
  checkPartitionSizes,
  type DiskEntry,
  deriveGuid,
  type Encryption,
  EXT4,
  encryptRoot,
  type PartitionPlan,
  type PlannedRoot,
  VOLUME_KEY_BYTES,
  writeEsp,
  writePartitionTable,
} from "../disk/index.ts";
import { asSealrootError } from "../errors/index.ts";
import { runStep, type StepReporter } from "../events/index.ts";
import { requireTools, type TemporaryDirectory, temporaryDirectory } from "../platform/index.ts";
import { type BootChain, findBootChain } from "./boot-chain.ts";
import { honourConfiguration } from "./honour-configuration.ts";
import { beginDisk, checkFreeSpace, checkTarget, defaultStagingParent } from "./open-target.ts";
import type { EncryptionChoice, InstallToDiskOptions } from "./options.ts";
import { planDisk, reportRootSize, roundDown, sizeOptions } from "./plan-disk.ts";
import { checkRecoveryKeyFile, RecoveryKeyFile } from "./recovery-key-file.ts";
import { rootEntries } from "./root-entries.ts";
import { type StagedImage, stageImage } from "./stage-image.ts";
import { writeStateFiles } from "./state-files.ts";
import type { DiskTarget, DiskUnderConstruction } from "./target.ts";

/** What was made. */
export interface InstalledDisk {
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes the sparse file really takes; of a device, all. */
  readonly allocatedBytes: number;
  readonly deploymentId: string;
  readonly manifestDigest: string;
  /** Where the host updates from. */
  readonly imageReference: string;
  readonly diskGuid: string;
  readonly rootUuid: string;
  /** False when the image has no signed loader. */
  readonly loaderIsSigned: boolean;
  /** How much it is worth against somebody who changes the disk. */
  readonly protection: Protection | undefined;
  /** The kernel command line, without add-ons. */
  readonly commandLine: string;
  /** Of an encrypted disk: who opens it. */
  readonly encryption?: DiskEncryption;
}

export interface DiskEncryption {
  readonly kind: "tpm2";
  /** Absent when it was written into a file. */
  readonly recoveryKey?: string;
  readonly recoveryKeyFile?: string;
}

/** What decides the disk's bytes besides the image. */
interface Identity {
  readonly epochSeconds: number;
  /** All GUIDs follow from it. */
  readonly seed: string;
}

const TOOLS = ["sfdisk", "mkfs.vfat", "mmd", "mcopy", "mke2fs", "e2fsck"];
const ROOT_LABEL = "root";
/** Unit of st_blocks (stat(3type)). */
const STAT_BLOCK_BYTES = 512;

/**
 * Makes a bootable disk from an image, which must be sealed unless the options accept another. No file has the target's name before the disk is complete and
 * checked; whatever was begun is removed on failure and on a signal. A device gets its partition table last.
 *
 * @throws SealrootError what the steps throw: `exists`, `no-space`, `missing-tool`, `untrusted` (image not sealed),
 *   `conflict` (the UKI asks for another image), `corrupt` …
 */
export async function installToDisk(options: InstallToDiskOptions): Promise<InstalledDisk> {
  const { events } = options;
  const target = await runStep(events, "check the target", (reporter) => prepare(options, reporter));
  // A disk file is made at once, since its place may refuse it; a device stays as it is for as long as possible.
  using file = target.kind === "file" ? await beginDisk(target) : undefined;
  using staging = stagingDirectory(options.stagingParent ?? defaultStagingParent(target));
  const image = await stageImage({
    source: options.source,
    registry: options.registry,
    directory: staging.path,
    ...(options.policy === undefined ? {} : { policy: options.policy }),
    checkSize: (layerBytes) => checkFreeSpace(staging.path, layerBytes, "the staged repository"),
    events,
  });
  const identity = identityOf(image, options);
  const boot = await runStep(events, "check the boot chain", (reporter) =>
    findBootChain(image, options, deriveGuid(identity.seed, "root file system"), reporter),
  );
  await runStep(events, "check the installation configuration", async () => checkConfiguration(boot, options));
  const imageReference = targetReference(options.source, options.targetName, options.targetTransport);
  const entries = await runStep(events, "lay out the root file system", () =>
    layOutRoot(image, boot.record(imageReference), identity, staging.path),
  );
  const plain = EXT4.plan(entries, {
    hashSeed: deriveGuid(identity.seed, "directory hashes"),
    sizeOf: ({ source }) => statSync(source).size,
    nameOf: imagePathOf,
  });
  const encryption = options.encryption && newEncryption(identity);
  const content = encryption === undefined ? plain : encryptRoot(plain, encryption);
  const { esp, rootUuid } = boot;
  const plan = await runStep(events, "check the space", () =>
    planDisk(target, options, { architecture: boot.architecture.oci, seed: identity.seed, content, esp }),
  );
  using construction = file ?? (await beginDisk(target));
  await writeDisk(construction, { target, plan, esp, identity, content, rootUuid }, options);
  // Before the disk is synced: in ext4's ordered mode the sync would first write out all staged files too.
  await runStep(events, "remove the staged repository", () => staging.remove());
  const keyFile = options.encryption?.recoveryKeyFile;
  // Before the disk has its name: there is never one whose key nobody has.
  using kept = encryption && keyFile !== undefined ? new RecoveryKeyFile(keyFile, encryption.recoveryKey) : undefined;
  await runStep(events, "finish the disk", () => construction.publish());
  kept?.keep();
  return {
    path: target.path,
    sizeBytes: target.sizeBytes,
    allocatedBytes: target.kind === "file" ? statSync(target.path).blocks * STAT_BLOCK_BYTES : target.sizeBytes,
    deploymentId: image.deploymentId,
    manifestDigest: image.manifestDigest,
    imageReference,
    diskGuid: plan.diskGuid,
    rootUuid,
    loaderIsSigned: boot.loaderIsSigned,
    protection: boot.protection,
    commandLine: boot.commandLine,
    ...(encryption && { encryption: encryptionResult(encryption, keyFile) }),
  };
}

function encryptionResult({ recoveryKey }: Encryption, keyFile: string | undefined): DiskEncryption {
  return { kind: "tpm2", ...(keyFile === undefined ? { recoveryKey } : { recoveryKeyFile: keyFile }) };
}

/** Keys are random, whatever else is reproducible. */
function newEncryption(identity: Identity): Encryption {
  return {
    volumeKey: randomBytes(VOLUME_KEY_BYTES),
    recoveryKey: formatRecoveryKey(randomBytes(32)),
    fileSystemUuid: deriveGuid(identity.seed, "file system in the encrypted volume"),
  };
}

function stagingDirectory(parent: string): TemporaryDirectory {
  try {
    return temporaryDirectory({ parent, purpose: "staging" });
  } catch (error) {
    throw asSealrootError(error, "Cannot stage the repository", { path: parent });
  }
}

/** Everything that can be refused before the image is touched. */
async function prepare(options: InstallToDiskOptions, reporter: StepReporter): Promise<DiskTarget> {
  const target = roundDown(await checkTarget(options), reporter);
  requireTools(TOOLS);
  if (options.encryption !== undefined) prepareEncryption(options.encryption);
  reportRootSize(options, reporter);
  checkPartitionSizes(sizeOptions(target, options));
  for (const warning of target.warnings) reporter.warn(warning);
  const reference = targetReference(options.source, options.targetName, options.targetTransport);
  if (!isRegistryReference(reference)) {
    reporter.warn(
      `The installed host cannot upgrade from ${reference}: give --target-imgref with the name it has in a registry`,
    );
  }
  return target;
}

function prepareEncryption({ recoveryKeyFile }: EncryptionChoice): void {
  requireTools(["cryptsetup"]);
  if (recoveryKeyFile !== undefined) checkRecoveryKeyFile(recoveryKeyFile);
}

async function checkConfiguration(boot: BootChain, options: InstallToDiskOptions): Promise<void> {
  await honourConfiguration(boot.configuration, {
    choices: options.choices ?? { filesystem: undefined, bootloader: undefined, blockSetup: undefined },
    policy: options.policy ?? {},
    commandLine: boot.bootType === "uki" ? boot.commandLine : undefined,
    isEncrypted: options.encryption !== undefined,
  });
}

function identityOf(image: StagedImage, options: InstallToDiskOptions): Identity {
  const epochSeconds = options.sourceDateEpoch ?? Math.floor(Date.now() / 1000);
  const distinction = options.sourceDateEpoch === undefined ? randomUUID() : String(epochSeconds);
  const seed = createHash("sha256").update(`${image.manifestDigest}\0${distinction}`).digest("hex");
  return { epochSeconds: Math.max(1, epochSeconds), seed };
}

function layOutRoot(image: StagedImage, record: DeploymentRecord, identity: Identity, directory: string): DiskEntry[] {
  const state = initialState({
    image: image.tree,
    record,
    epochSeconds: identity.epochSeconds,
  });
  return rootEntries({
    repositoryEntries: image.repositoryEntries(),
    state,
    stateXattrs: image.stateXattrs,
    sourceOf: writeStateFiles(state, directory, image.copyObject),
    policy: image.policy,
    epochSeconds: identity.epochSeconds,
  });
}

interface WholeDisk {
  readonly target: DiskTarget;
  readonly plan: PartitionPlan;
  readonly esp: EspLayout;
  readonly identity: Identity;
  readonly content: PlannedRoot;
  readonly rootUuid: string;
}

async function writeDisk(
  construction: DiskUnderConstruction,
  whole: WholeDisk,
  options: InstallToDiskOptions,
): Promise<void> {
  const { disk } = construction;
  const { plan, esp, identity } = whole;
  await runStep(options.events, "write the ESP", () =>
    writeEsp(disk, { partition: plan.esp, epochSeconds: identity.epochSeconds, ...esp }),
  );
  await runStep(options.events, "write the root file system", (reporter) =>
    whole.content.make(disk, {
      startBytes: plan.root.startBytes,
      sizeBytes: plan.root.sizeBytes,
      diskIsZeroed: whole.target.kind === "file",
      uuid: whole.rootUuid,
      label: ROOT_LABEL,
      epochSeconds: identity.epochSeconds,
      onProgress: (done) => reporter.progress(done, whole.content.inodes, "items"),
    }),
  );
  await runStep(options.events, "partition the disk", () => writePartitionTable(disk, plan));
  await runStep(options.events, "check the disk", () =>
    checkDisk(disk, plan, { espFiles: esp.files, root: whole.content }),
  );
}
