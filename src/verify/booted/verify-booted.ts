/**
 * The system that runs, as it can tell itself: who has taken over its kernel can make it say anything, so the disk is to be
 * verified from outside when that is the question.
 */
import { join } from "node:path";
import { type Origin, REPOSITORY_PATH, stateDirectory } from "../../deployment/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { runStep } from "../../events/index.ts";
import {
  espOf,
  firmwareDatabases,
  type HostPlaces,
  readBootedChain,
  readHost,
  shimSbatLevel,
} from "../../host/index.ts";
import { readStoredImage } from "../../imagestore/index.ts";
import { objectFaults } from "../../objects/index.ts";
import type { SbatLevel } from "../../pe/index.ts";
import { openRepository, type Repository, readStoredTree } from "../../repository/index.ts";
import { TreeFiles } from "../../tree/index.ts";
import { listEntries } from "../boot/boot-entries.ts";
import { checkEntry } from "../boot/check-entry.ts";
import { checkLoaders } from "../boot/check-loader.ts";
import type { CheckedUki } from "../boot/check-uki.ts";
import { type EspFiles, mountedEspFiles } from "../boot/esp-files.ts";
import { checkFirmwareKeys, type FirmwareKeys } from "../boot/firmware-keys.ts";
import { checkKept } from "../boot/kept-state.ts";
import { ruleOf } from "../objects/image-rule.ts";
import { FAULT_WORDS } from "../objects/stored-faults.ts";
import type { VerifyOptions } from "../policy/options.ts";
import type { LinkDraft } from "../report/link.ts";
import type { VerifyReport } from "../report/report.ts";
import { EspWalk } from "../walk/esp-walk.ts";

/**
 * @param places of the running host, open for reading
 * @throws SealrootError `no-access` without the right to read its repository; as readHost
 */
export async function verifyBooted(places: HostPlaces, options: VerifyOptions): Promise<VerifyReport> {
  const walk = new BootedWalk(places, options);
  await runStep(options.events, "check the boot chain", () => walk.checkBoot());
  await walk.checkRoot();
  return await walk.report();
}

const TARGET = "the system that runs";
const REPAIR = "sealroot fsck --repair";

class BootedWalk {
  readonly #places: HostPlaces;
  readonly #options: VerifyOptions;
  readonly #walk = new EspWalk();
  /** The entry of what runs, and its UKI. */
  #booted: { readonly draft: LinkDraft; readonly uki: CheckedUki; readonly deploymentId: string } | undefined;

  /** Where what runs came from; undefined when that is not known. */
  #origin: Origin | undefined;

  constructor(places: HostPlaces, options: VerifyOptions) {
    this.#places = places;
    this.#options = options;
  }

  async checkBoot(): Promise<void> {
    const places = this.#places;
    this.#walk.keys = await this.#firmwareKeys();
    const host = await readHost(places);
    this.#origin = host.booted?.origin;
    const directory = espOf(places);
    if (directory === undefined) {
      this.#walk.chain.link("loader", "the ESP").broken("it was not found", {
        remedy: "sealroot status says what is wrong with the ESP",
      });
    } else {
      await this.#checkEsp(mountedEspFiles(directory), host.booted?.deploymentId);
    }
    const running = await readBootedChain(places, host);
    const draft = this.#walk.chain.link("command-line", "of the kernel that runs");
    draft.checkedBy("what the kernel says of itself");
    if (running?.broken === undefined) {
      draft.fact(
        "the kernel was given the line of the UKI, and the root is an image that it names, with fs-verity required",
      );
    } else {
      draft.broken(`${running.broken.link}: ${running.broken.message}`, {
        remedy: "reboot; then verify the disk from outside",
      });
    }
  }

  async #firmwareKeys(): Promise<FirmwareKeys> {
    const { keys } = this.#options;
    const draft = this.#walk.chain.link("keys", keys?.name ?? "of the firmware");
    const sbatLevel = await this.#sbatLevel(draft);
    if (keys !== undefined) return await checkFirmwareKeys(draft, keys, [], sbatLevel);
    const { efiVariables } = this.#places;
    if (efiVariables === undefined) {
      draft.find("unchecked", "the variables of the firmware are not at hand", { remedy: "give the keys with --keys" });
      return { databases: [], sbatLevel };
    }
    const databases = await draft.attempt(() => firmwareDatabases(efiVariables), { path: efiVariables });
    if (databases !== undefined) return await checkFirmwareKeys(draft, databases, [], sbatLevel);
    if (!draft.isBroken) {
      draft.broken("Secure Boot is off: the firmware starts anything", {
        ...{ expected: "SecureBoot = 1", found: "SecureBoot = 0" },
        remedy: "enrol the keys from the menu of the boot loader, and switch Secure Boot on in the firmware",
      });
    }
    return { databases: [] };
  }

  /** That of the options, or the one by which shim started this boot. */
  async #sbatLevel(draft: LinkDraft): Promise<SbatLevel | undefined> {
    const { efiVariables } = this.#places;
    const { sbatLevel } = this.#options;
    if (sbatLevel !== undefined || efiVariables === undefined) return sbatLevel;
    return await draft.attempt(() => shimSbatLevel(efiVariables), { path: efiVariables });
  }

  async #checkEsp(esp: EspFiles, bootedId: string | undefined): Promise<void> {
    this.#walk.esp = esp;
    const loader = await checkLoaders((subject) => this.#walk.chain.link("loader", subject), esp, this.#walk.keys);
    this.#walk.addPrograms(loader.programs);
    this.#walk.entries = listEntries(esp);
    const { entries } = this.#walk.entries;
    const isBooted = (id: string | undefined) => id !== undefined && id === bootedId;
    if (!entries.some(({ deploymentId }) => isBooted(deploymentId))) {
      this.#walk.chain.link("entry", "loader/entries").broken("no boot entry leads to what runs", {
        ...{ path: "loader/entries", expected: bootedId ?? "the deployment that runs", found: "none", remedy: REPAIR },
      });
    }
    for (const [index, listed] of entries.entries()) {
      const { path, deploymentId } = listed;
      if (index > 0 && deploymentId === undefined) continue;
      const draft = this.#walk.chain.link("entry", path);
      draft.fact(
        isBooted(deploymentId) ? "it is what runs" : index === 0 ? "it boots by default" : "it is in the menu",
      );
      const uki = await checkEntry(draft, listed, loader, esp, this.#walk.keys);
      if (uki === undefined) continue;
      this.#walk.addUki(path, uki);
      this.#walk.addPrograms(uki.programs);
      if (deploymentId !== undefined && isBooted(deploymentId)) this.#booted = { draft, uki, deploymentId };
    }
  }

  /** The images that the UKI of what runs names, and their objects. */
  async checkRoot(): Promise<void> {
    const booted = this.#booted;
    if (booted === undefined) return;
    const { events } = this.#options;
    const path = join(this.#places.physicalRoot, REPOSITORY_PATH);
    const repository = await this.#open(booted.draft, path);
    if (repository === undefined) return;
    using _ = repository;
    if (repository.protection === "insecure") {
      booted.draft.find("weaker", "the settings of the repository say that its files need no fs-verity", { path });
      this.#walk.hasFilesWithoutVerity = true;
    }
    let files: TreeFiles | undefined;
    for (const [index, { id, verityOptional, algorithm }] of booted.uki.composefsArguments.entries()) {
      const draft = booted.draft.link("image", id);
      draft.checkedBy(`${algorithm} fs-verity digest in the command line`);
      const place = { path: `${REPOSITORY_PATH}/images/${id}`, remedy: REPAIR };
      const image = await draft.attempt(async () => {
        await this.#reportFaults(repository, [id], (_object, message, data) =>
          draft.find(verityOptional && data.isMissingVerity ? "weaker" : "broken", message, {
            ...place,
            ...data.fields,
          }),
        );
        return readStoredTree(repository, repository.images.resolve(id));
      }, place);
      const { materials } = this.#options;
      materials?.images.push({ id, algorithm, rule: image && ruleOf(image) });
      if (image === undefined) continue;
      if (index === 0) {
        const read = (objectId: string) => repository.objects.read(objectId);
        await materials?.take(draft, () => materials.addSoftwareLists(image.root, read));
      }
      draft.fact(ruleOf(image));
      this.#walk.objects.add(image.root, verityOptional);
      if (index === 0) files = new TreeFiles(image.root, (objectId) => repository.objects.read(objectId));
    }
    await this.#takeDocuments(booted.draft, repository);
    const state = booted.draft.link("state", stateDirectory(booted.deploymentId));
    if (files !== undefined) {
      await checkKept(state, files, booted.uki.commandLine, stateDirectory(booted.deploymentId));
    }
    await runStep(events, "hash the objects", ({ progress }) => this.#hashObjects(repository, progress));
  }

  async #takeDocuments(draft: LinkDraft, repository: Repository): Promise<void> {
    const { materials } = this.#options;
    const { manifestDigest, imageReference: reference } = this.#origin ?? {};
    if (manifestDigest === undefined || reference === undefined) return;
    await materials?.take(draft, async () => {
      const stored = await readStoredImage(repository, manifestDigest);
      if (stored === undefined) return;
      const { manifestBytes, bytes: configBytes } = stored;
      materials.source = { reference, manifestDigest, manifestBytes, configBytes };
    });
  }

  async #open(draft: LinkDraft, path: string): Promise<Repository | undefined> {
    try {
      return await openRepository(path, { upgrade: false });
    } catch (error) {
      // Who may not look is told so, and not that something is broken.
      if (error instanceof SealrootError && error.code === "no-access") throw error;
      draft.link("image", path).failed(error, "broken", { remedy: REPAIR });
      return undefined;
    }
  }

  async #hashObjects(repository: Repository, progress: (done: number, total: number, unit: "items") => void) {
    const list = this.#walk.objects.list();
    const draft = this.#walk.chain.link("objects", `${list.length} objects`);
    draft.checkedBy("their digests in the images");
    const ids = list.map(({ id }) => id);
    let done = 0;
    await this.#reportFaults(
      repository,
      ids,
      (id, message, { isMissingVerity, fields }) => {
        const isAccepted = isMissingVerity && this.#walk.objects.isVerityOptional(id);
        draft.find(isAccepted ? "weaker" : "broken", `the object of ${this.#walk.objects.pathOf(id)}: ${message}`, {
          ...fields,
          remedy: REPAIR,
        });
      },
      (count) => {
        done += count;
        progress(done, ids.length, "items");
      },
    );
    const bytes = list.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#walk.hashed = { objects: list.length, bytes };
    draft.fact(`${bytes} bytes were hashed, besides what the kernel measured`);
  }

  async #reportFaults(
    repository: Repository,
    ids: readonly string[],
    report: (
      id: string,
      message: string,
      data: {
        readonly isMissingVerity: boolean;
        readonly fields: { readonly expected: string; readonly found?: string };
      },
    ) => void,
    onChecked: (count: number) => void = () => {},
  ): Promise<void> {
    for (const [id, { kind, detail }] of await objectFaults(
      repository.objects.settings,
      repository.workers,
      ids,
      onChecked,
    )) {
      const isMissingVerity = kind === "object-verity-missing";
      if (isMissingVerity) this.#walk.hasFilesWithoutVerity = true;
      const fields = { expected: id, ...(detail === undefined ? {} : { found: detail }) };
      report(id, FAULT_WORDS[kind], { isMissingVerity, fields });
    }
  }

  report(): Promise<VerifyReport> {
    return this.#walk.report(TARGET, "booted system", this.#options);
  }
}
