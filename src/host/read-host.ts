/** Reading a host: boot entries, deployments and repository put together (spec/host-lifecycle.md 3.1). Writes nothing. */
import { readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { type BootEntry, CommandLine, findComposefsArguments } from "../bls/index.ts";
import {
  addonFolder,
  addonLines,
  type BootEntryStore,
  type EntryListing,
  openEntryStore,
  type StoredEntry,
} from "../bootloader/index.ts";
import {
  type DeploymentRecord,
  listDeployments,
  REPOSITORY_PATH,
  readLegacyImageInfo,
  readStagedRecord,
  type StagedRecord,
} from "../deployment/index.ts";
import { asSealrootError, corrupt, SealrootError } from "../errors/index.ts";
import { readStoredImage } from "../imagestore/index.ts";
import { platformOf } from "../oci/index.ts";
import { readUki, type Uki } from "../pe/index.ts";
import { namesInIfReadable } from "../platform/index.ts";
import { openRepository, type Repository, readStoredTree } from "../repository/index.ts";
import { TreeFiles } from "../tree/index.ts";
import { readBootReports } from "./boots/boot-slots.ts";
import { type FailedBoot, failedBootsPath, readFailedBoots } from "./boots/failed-boots.ts";
import { unrecordedFailures } from "./boots/judge-boots.ts";
import { type EncryptedRoot, readEncryptedRoot } from "./encrypted-root.ts";
import type { DeploymentImage, Host, HostDeployment, HostProblem, HostSpace } from "./host.ts";
import { bootFilePath, espOf, type HostPlaces, menuOrder, placeOfBootFile } from "./host-places.ts";
import { type StartedKernel, sameArguments, sharesKernel } from "./soft-reboot/kernel-state.ts";
import { imagePolicyDigest, livePolicyDigest } from "./soft-reboot/selinux-policy.ts";

const NO_ENTRIES: EntryListing = { entries: [], unusable: [] };
const VERSION_ANNOTATION = "org.opencontainers.image.version";

/**
 * Reads everything there is. What cannot be read becomes a problem of its own and never hides the rest.
 * @throws SealrootError only when nothing at all can be told
 */
export async function readHost(places: HostPlaces): Promise<Host> {
  const reader = new HostReader(places);
  try {
    return await reader.read();
  } finally {
    reader[Symbol.dispose]();
  }
}

class HostReader implements Disposable {
  readonly #places: HostPlaces;
  readonly #entries: BootEntryStore | undefined;
  readonly #problems: HostProblem[] = [];
  #repository: Repository | undefined;
  /** By deployment id, of those that have one. */
  readonly #ukis = new Map<string, Uki>();

  constructor(places: HostPlaces) {
    this.#places = places;
    const { bootDirectory, bootLoader } = places;
    this.#entries = bootDirectory === undefined ? undefined : openEntryStore(bootDirectory, menuOrder(bootLoader));
  }

  [Symbol.dispose](): void {
    this.#repository?.close();
  }

  async read(): Promise<Host> {
    const { bootLoader, booted: root, isReadOnly, physicalRoot, usrOverlay } = this.#places;
    const records = this.#records();
    const stagedRecord = this.#stagedRecord();
    const live = this.#entriesOf("live");
    await this.#open(join(physicalRoot, REPOSITORY_PATH));
    const deployments: HostDeployment[] = [];
    for (const entry of live) {
      const record = this.#recordOf(entry, records);
      if (record !== undefined) deployments.push(await this.#deployment(record, entry));
    }
    const stagedEntry =
      stagedRecord && this.#entriesOf("staged").find(({ deploymentId }) => deploymentId === stagedRecord.deploymentId);
    const staged = await this.#staged(stagedRecord, stagedEntry, records);
    const booted =
      deployments.find(({ deploymentId }) => deploymentId === root?.imageId) ??
      deployments.find((deployment) => namesImage(deployment, root?.imageId)) ??
      (await this.#bootedWithoutEntry(records));
    const compare = (deployment: HostDeployment) => this.#withSoftReboot(deployment, booted);
    const [rollback, ...others] = deployments.filter((deployment) => deployment !== booted).map(compare);
    const [first] = live;
    const known = { booted, rollback, others, entries: live };
    return {
      staged: staged && {
        ...compare(staged),
        downloadOnly: stagedRecord?.downloadOnly ?? false,
        globalAddons: stagedRecord?.globalAddons ?? [],
      },
      booted: booted && { ...booted, missingVerityAllowed: root?.missingVerityAllowed ?? false },
      rollback,
      others,
      entries: live,
      rollbackQueued: booted !== undefined && first !== undefined && first.deploymentId !== booted.deploymentId,
      bootLoader,
      usrOverlay,
      isReadOnly,
      space: [
        ...this.#space("ESP", placeOfBootFile(this.#places, "EFI")?.directory),
        ...this.#space("root", physicalRoot),
      ],
      encryption: this.#encryption(),
      failedBoots: await this.#failedBoots(known),
      problems: this.#problems,
    };
  }

  #space(place: HostSpace["place"], directory: string | undefined): HostSpace[] {
    if (directory === undefined) return [];
    try {
      const { blocks, bavail, bsize } = statfsSync(directory);
      return [{ place, totalBytes: blocks * bsize, freeBytes: bavail * bsize }];
    } catch (error) {
      this.#problem(place, error, "Cannot see how much room is left");
      return [];
    }
  }

  #encryption(): EncryptedRoot | undefined {
    const { physicalRoot } = this.#places;
    try {
      return readEncryptedRoot(physicalRoot);
    } catch (error) {
      this.#problem(physicalRoot, error, "Cannot see how the root is encrypted");
      return undefined;
    }
  }

  async #failedBoots(host: Parameters<typeof unrecordedFailures>[0]): Promise<readonly FailedBoot[]> {
    const { physicalRoot } = this.#places;
    try {
      const recorded = readFailedBoots(physicalRoot);
      return [...unrecordedFailures(host, recorded, await readBootReports(this.#places), new Date()), ...recorded];
    } catch (error) {
      this.#problem(failedBootsPath(physicalRoot), error);
      return [];
    }
  }

  #problem(subject: string, error: unknown, action = "Cannot read it"): void {
    this.#problems.push({ subject, error: asSealrootError(error, action) });
  }

  #records(): ReadonlyMap<string, DeploymentRecord> {
    try {
      const { deployments, unusable } = listDeployments(this.#places.physicalRoot);
      for (const { deploymentId, error } of unusable) this.#problem(deploymentId, error);
      return new Map(deployments.map((record) => [record.deploymentId, record]));
    } catch (error) {
      this.#problem(this.#places.physicalRoot, error, "Cannot list the deployments");
      return new Map();
    }
  }

  #stagedRecord(): StagedRecord | undefined {
    try {
      return readStagedRecord(this.#places.runDirectory);
    } catch (error) {
      this.#problem("staged", error);
      return undefined;
    }
  }

  /** Entries of deployments; those of other systems are not ours to judge. */
  #entriesOf(folder: "live" | "staged"): StoredEntry[] {
    try {
      const { entries, unusable } = this.#entries?.list(folder) ?? NO_ENTRIES;
      for (const { fileName, error } of unusable) this.#problem(fileName, error);
      return entries.filter(({ deploymentId }) => deploymentId !== undefined);
    } catch (error) {
      this.#problem("boot entries", error, "Cannot list the boot entries");
      return [];
    }
  }

  /** What the state directories say about an entry; one that could not be read is told about already. */
  #recordOf(entry: StoredEntry, records: ReadonlyMap<string, DeploymentRecord>): DeploymentRecord | undefined {
    const { deploymentId = "", fileName } = entry;
    const record = records.get(deploymentId);
    if (record !== undefined || this.#problems.some(({ subject }) => subject === deploymentId)) return record;
    const what = `Boot entry ${fileName} starts a deployment that has no state directory`;
    this.#problem(deploymentId, new SealrootError("not-found", what));
    return undefined;
  }

  async #open(path: string): Promise<void> {
    try {
      this.#repository = await openRepository(path, { upgrade: "in-memory" });
    } catch (error) {
      this.#problem(path, error, "Cannot open the repository");
    }
  }

  async #staged(
    staged: StagedRecord | undefined,
    entry: StoredEntry | undefined,
    records: ReadonlyMap<string, DeploymentRecord>,
  ): Promise<HostDeployment | undefined> {
    if (staged === undefined) return undefined;
    const { deploymentId } = staged;
    if (entry === undefined) {
      this.#problem(deploymentId, new SealrootError("not-found", "The staged deployment has no staged boot entry"));
      return undefined;
    }
    const record = this.#recordOf(entry, records);
    return record && this.#deployment(record, entry);
  }

  /** What runs is told of, also when no boot entry leads to it any more. */
  async #bootedWithoutEntry(records: ReadonlyMap<string, DeploymentRecord>): Promise<HostDeployment | undefined> {
    const id = this.#places.booted?.imageId;
    if (id === undefined) return undefined;
    this.#problem(id, new SealrootError("not-found", "The booted deployment has no usable boot entry"));
    const record = records.get(id);
    return record && this.#deployment(record, undefined);
  }

  async #deployment(record: DeploymentRecord, entry: StoredEntry | undefined): Promise<HostDeployment> {
    const commandLine = entry && this.#commandLine(record, entry);
    return {
      ...record,
      entry,
      commandLine,
      missingVerityAllowed: (commandLine && findComposefsArguments(commandLine)[0]?.verityOptional) ?? false,
      image: await this.#image(record),
      sharesKernel: undefined,
      softRebootCapable: false,
    };
  }

  async #image({ deploymentId, origin }: DeploymentRecord): Promise<DeploymentImage | undefined> {
    if (this.#repository === undefined) return undefined;
    try {
      if (origin.manifestDigest === undefined) return this.#legacyImage(deploymentId);
      const stored = await readStoredImage(this.#repository, origin.manifestDigest);
      if (stored?.config === undefined) throw corrupt(`Its image ${origin.manifestDigest} is not in the repository`);
      const { config, manifest, manifestDigest } = stored;
      return {
        manifestDigest,
        version: manifest.annotations?.[VERSION_ANNOTATION],
        created: config.created,
        architecture: platformOf(config, manifest.config.digest).architecture,
        labels: config.config?.Labels,
      };
    } catch (error) {
      this.#problem(deploymentId, error, "Cannot read its image");
      return undefined;
    }
  }

  /** Of a deployment older than the key `manifest_digest`. */
  #legacyImage(deploymentId: string): DeploymentImage {
    const info = readLegacyImageInfo(this.#places.physicalRoot, deploymentId);
    if (info === undefined) throw corrupt("Its origin file names no manifest");
    const { config, manifest, digest } = info;
    return {
      manifestDigest: digest,
      version: manifest.annotations?.[VERSION_ANNOTATION],
      created: config.created,
      architecture: platformOf(config, manifest.config.digest).architecture,
      labels: config.config?.Labels,
    };
  }

  #withSoftReboot(deployment: HostDeployment, booted: HostDeployment | undefined): HostDeployment {
    if (booted === undefined) return deployment;
    const shares = this.#sharesKernel(deployment, booted);
    const [line, own] = [deployment, booted].map((one) => this.#withAddons(one));
    const isSame = shares === true && line !== undefined && own !== undefined && sameArguments(line, own);
    return { ...deployment, sharesKernel: shares, softRebootCapable: isSame && this.#hasSamePolicy(deployment) };
  }

  #sharesKernel(deployment: HostDeployment, booted: HostDeployment): boolean | undefined {
    try {
      return sharesKernel(this.#kernelOf(deployment), this.#kernelOf(booted));
    } catch (error) {
      this.#problem(deployment.deploymentId, error, "Cannot compare its kernel");
      return undefined;
    }
  }

  #kernelOf({ deploymentId, origin: { bootDigest } }: HostDeployment): StartedKernel {
    return { bootDigest, uki: this.#ukis.get(deploymentId) };
  }

  /** Whether its image has the SELinux policy that is loaded: a soft reboot loads no other. */
  #hasSamePolicy({ deploymentId }: HostDeployment): boolean {
    const { selinuxEtc } = this.#places;
    const repository = this.#repository;
    if (selinuxEtc === undefined) return true;
    if (repository === undefined) return false;
    try {
      const { root } = readStoredTree(repository, repository.images.resolve(deploymentId));
      const files = new TreeFiles(root, (objectId) => repository.objects.read(objectId));
      return livePolicyDigest(selinuxEtc) === imagePolicyDigest(files);
    } catch (error) {
      this.#problem(deploymentId, error, "Cannot compare its SELinux policy");
      return false;
    }
  }

  /** With the arguments of its own add-ons; those of global ones are the same for all. */
  #withAddons(deployment: HostDeployment | undefined): CommandLine | undefined {
    const esp = espOf(this.#places);
    const target = deployment?.entry?.entry.target;
    if (target?.type !== "uki" || esp === undefined) return deployment?.commandLine;
    const folder = addonFolder(target.path);
    const paths = namesInIfReadable(join(esp, folder))
      .filter((name) => /\.addon\.efi$/i.test(name))
      .sort()
      .map((name) => join(folder, name));
    const lines = addonLines(esp, paths);
    return lines.reduce((line, text) => line?.append(text), deployment?.commandLine);
  }

  /** The command line that an entry starts its kernel with: its options, or what its UKI has inside. Read once each. */
  #commandLine({ deploymentId }: DeploymentRecord, { entry }: StoredEntry): CommandLine | undefined {
    try {
      const line = CommandLine.parse(this.#commandLineText(deploymentId, entry));
      // Refused here, so that nobody has to expect it later.
      findComposefsArguments(line);
      return line;
    } catch (error) {
      this.#problem(deploymentId, error, "Cannot read its command line");
      return undefined;
    }
  }

  #commandLineText(deploymentId: string, { options, target }: BootEntry): string {
    if (target.type === "linux") return options ?? "";
    const path = bootFilePath(this.#places, target.path);
    const uki = readUki(readFileSync(path), path);
    this.#ukis.set(deploymentId, uki);
    return uki.commandLine ?? "";
  }
}

/** True when the deployment's command line names the image, be it as its second one. */
function namesImage({ commandLine }: HostDeployment, imageId: string | undefined): boolean {
  return commandLine !== undefined && findComposefsArguments(commandLine).some(({ id }) => id === imageId);
}
