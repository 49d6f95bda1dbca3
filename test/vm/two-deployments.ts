/**
 * A disk with two deployments, as an update leaves it: the new one is to be tried, the old one is what is fallen back to.
 * Made offline from two sealed images, as `install` makes its disk; a guest that updates itself takes minutes in emulation.
 */
import { mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatCountedName } from "../../src/bls/index.ts";
import { findSealedContents, NO_ADDONS, type SealedContents } from "../../src/bootimage/index.ts";
import { entryFiles } from "../../src/bootloader/boot-entries.ts";
import { systemdBoot } from "../../src/bootloader/index.ts";
import { BOOT_SLOTS, BOOT_SLOTS_PATH, bootSlotName, EMPTY_BOOT_SLOT } from "../../src/bootplan/index.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import {
  imagePathOf,
  initialState,
  recordOfUki,
  type StagedDeployment,
  stageDeployment,
} from "../../src/deployment/index.ts";
import { EXT4, planPartitions, writeEsp, writePartitionTable } from "../../src/disk/index.ts";
import { silent } from "../../src/events/index.ts";
import { openImage } from "../../src/images/index.ts";
import { rootEntries } from "../../src/install/root-entries.ts";
import { writeStateFiles } from "../../src/install/state-files.ts";
import { parseReference } from "../../src/oci/index.ts";
import { initRepository, type Repository } from "../../src/repository/index.ts";
import { type DirectoryNode, newDirectory, newMetadata, subdirectory } from "../../src/tree/index.ts";

export interface TwoDeployments {
  readonly diskPath: string;
  readonly oldId: string;
  readonly newId: string;
  /** Path of the new deployment's UKI in the ESP. */
  readonly newUkiPath: string;
}

export interface TwoDeploymentsOptions {
  /** `oci:DIRECTORY:TAG` of sealed images. */
  readonly oldReference: string;
  readonly newReference: string;
  /** How often the new one may be tried. */
  readonly tries: number;
}

const DISK_BYTES = 4 * 1024 ** 3;
const ESP_BYTES = 256 * 1024 ** 2;
const EPOCH_SECONDS = 1_793_491_200 + 2 * 86_400;

/** @param directory is made, and takes the disk and all that it is made from */
export async function twoDeployments(directory: string, options: TwoDeploymentsOptions): Promise<TwoDeployments> {
  mkdirSync(directory);
  const repositoryPath = join(directory, "repository");
  const { repository } = await initRepository(repositoryPath, { algorithm: "sha512", protection: "offline" });
  using _ = repository;
  const older = await deploy(repository, options.oldReference);
  const newer = await deploy(repository, options.newReference);
  const disk = { directory, path: "disk.img" };
  writeFileSync(join(directory, disk.path), "");
  truncateSync(join(directory, disk.path), DISK_BYTES);
  const sizes = { diskSizeBytes: DISK_BYTES, espSizeBytes: ESP_BYTES };
  const plan = planPartitions({ ...sizes, architecture: "amd64", seed: directory });
  await writeEsp(disk, {
    partition: plan.esp,
    epochSeconds: EPOCH_SECONDS,
    ...espContent(older, newer, options.tries),
  });
  const state = stateOf(older, newer);
  const copyObject = (objectId: string, path: string) => writeFileSync(path, repository.objects.read(objectId));
  const entries = rootEntries({
    repositoryEntries: repository.stagedEntries(),
    state,
    stateXattrs: new Map([...older.staged.stateXattrs, ...newer.staged.stateXattrs]),
    sourceOf: writeStateFiles(state, directory, copyObject),
    policy: older.staged.policy,
    epochSeconds: EPOCH_SECONDS,
  });
  const content = EXT4.plan(entries, {
    hashSeed: "11111111-2222-4333-8444-555555555555",
    sizeOf: ({ source }) => statSync(source).size,
    nameOf: imagePathOf,
  });
  await content.make(disk, {
    startBytes: plan.root.startBytes,
    sizeBytes: plan.root.sizeBytes,
    diskIsZeroed: true,
    uuid: "11111111-2222-4333-8444-666666666666",
    label: "root",
    epochSeconds: EPOCH_SECONDS,
  });
  await writePartitionTable(disk, plan);
  return {
    diskPath: join(directory, disk.path),
    oldId: older.staged.deploymentId,
    newId: newer.staged.deploymentId,
    newUkiPath: entryFiles(newer.uki, "primary", { ukiKey: "efi" }).uki.path,
  };
}

interface Deployed {
  readonly staged: StagedDeployment;
  readonly boot: SealedContents;
  readonly uki: Parameters<typeof entryFiles>[0];
  readonly reference: string;
}

async function deploy(repository: Repository, reference: string): Promise<Deployed> {
  const image = await openImage(parseReference(reference), { policy: "accept-anything" });
  const { config } = image;
  if (config === undefined) throw new Error(`${reference} has no configuration`);
  const staged = await stageDeployment(repository, { ...image, config }, reference, silent);
  await image.close();
  const boot = findSealedContents(staged.files, staged.architecture, NO_ADDONS);
  const uki = { deploymentId: staged.deploymentId, uki: boot.ukiBytes, osRelease: boot.osRelease, addons: [] };
  return { staged, boot, uki, reference: `docker://registry.example/os:${reference.split(":").at(-1)}` };
}

/** The loader of the old image; its entry is second, and that of the new one is counted. */
function espContent(older: Deployed, newer: Deployed, tries: number) {
  const loader = systemdBoot({
    program: older.boot.loader,
    architecture: older.boot.uki.architecture,
    enrolmentFiles: [],
  });
  const second = entryFiles(older.uki, "secondary", loader);
  const first = entryFiles(newer.uki, "primary", loader);
  const path = formatCountedName(first.entry.path, { left: tries, done: 0 });
  const entries = [second.uki, second.entry, first.uki, { path, bytes: first.entry.bytes }];
  return { files: [...loader.programs, ...loader.settings, ...entries], directories: loader.directories };
}

/** The state of both, and the slots for the tries of the new one. */
function stateOf(older: Deployed, newer: Deployed): DirectoryNode {
  const [state, other] = [older, newer].map(({ staged, boot, reference }) =>
    initialState({
      image: staged.tree,
      record: recordOfUki(staged, reference, boot.uki),
      epochSeconds: EPOCH_SECONDS,
    }),
  );
  if (state === undefined || other === undefined) throw new Error("unreachable: there are two");
  const deploy = byteStringOfText("deploy");
  for (const [name, node] of subdirectory(other, deploy).entries) subdirectory(state, deploy).entries.set(name, node);
  const metadata = (mode: number) => newMetadata({ mode, mtimeSeconds: BigInt(EPOCH_SECONDS) });
  const slots = newDirectory(metadata(0o700));
  for (let slot = 1; slot <= BOOT_SLOTS; slot++) {
    const content = { type: "inline", bytes: Buffer.from(EMPTY_BOOT_SLOT) } as const;
    slots.entries.set(byteStringOfText(bootSlotName(slot)), { kind: "file", metadata: metadata(0o600), content });
  }
  const [, own = "", folder = ""] = BOOT_SLOTS_PATH.split("/");
  const ownState = newDirectory(metadata(0o755));
  ownState.entries.set(byteStringOfText(folder), slots);
  state.entries.set(byteStringOfText(own), ownState);
  return state;
}
