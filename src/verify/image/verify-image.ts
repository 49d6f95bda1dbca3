/** An OCI image before it is installed: what an installation will put on a disk, judged by the keys that it brings along. */
import { type EnrolmentFile, findEnrolmentFiles, findLoader, findUkis, listAddons } from "../../bootimage/index.ts";
import { runStep } from "../../events/index.ts";
import { objectFaults } from "../../objects/index.ts";
import { parsePe, systemdComponentOf } from "../../pe/index.ts";
import type { Repository } from "../../repository/index.ts";
import { TreeFiles } from "../../tree/index.ts";
import { type ChainProgram, type CheckedUki, checkUki } from "../boot/check-uki.ts";
import { checkFirmwareKeys, type FirmwareKeys } from "../boot/firmware-keys.ts";
import { checkProgram } from "../boot/program-signature.ts";
import { machineTables } from "../boot/unsigned-inputs.ts";
import { ImageObjects } from "../objects/image-objects.ts";
import { FAULT_WORDS } from "../objects/stored-faults.ts";
import type { VerifyOptions } from "../policy/options.ts";
import { judgedChain, judgePolicy } from "../policy/policy.ts";
import { ChainDraft } from "../report/link.ts";
import { stateOf, type VerifyReport } from "../report/report.ts";
import { checkNamedImages } from "./check-named.ts";
import { fetchLayers, type LayeredImage, storedImageLayers } from "./read-layers.ts";
import { scratchRepository } from "./scratch.ts";

/** An image anywhere, by a reference with its transport. */
export async function verifyFetchedImage(given: string, options: VerifyOptions): Promise<VerifyReport> {
  using scratch = await scratchRepository();
  const chain = new ChainDraft();
  const image = await fetchLayers(chain, given, scratch.repository, options);
  return await finished(chain, given, image, options);
}

/** An image of the repository, whose objects are hashed too. */
export async function verifyStoredImage(
  name: string,
  repository: Repository,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const chain = new ChainDraft();
  const image = await storedImageLayers(chain, name, repository);
  return await finished(chain, name, image, options);
}

async function finished(
  chain: ChainDraft,
  given: string,
  image: LayeredImage | undefined,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const walk = new ImageWalk(chain, given, options);
  if (image !== undefined) await walk.check(image);
  return await walk.report();
}

const SEAL = "seal the image: sealroot seal";

class ImageWalk {
  readonly #chain: ChainDraft;
  readonly #given: string;
  readonly #options: VerifyOptions;
  #programs: readonly ChainProgram[] = [];
  #uki: CheckedUki | undefined;
  #keys: FirmwareKeys = { databases: [] };
  #hashed = { objects: 0, bytes: 0 };

  constructor(chain: ChainDraft, given: string, options: VerifyOptions) {
    this.#chain = chain;
    this.#given = given;
    this.#options = options;
  }

  async check(image: LayeredImage): Promise<void> {
    const files = new TreeFiles(image.root, (id) => image.repository.objects.read(id));
    await runStep(this.#options.events, "check the boot chain", () => this.#checkBoot(files));
    const uki = this.#uki;
    if (uki !== undefined) {
      await checkNamedImages(this.#chain, uki.composefsArguments, image, this.#given, this.#options);
    }
    const { materials } = this.#options;
    if (materials !== undefined) {
      materials.source = { ...image.documents, reference: this.#given };
      const read = (id: string) => image.repository.objects.read(id);
      await materials.take(undefined, () => materials.addSoftwareLists(image.root, read));
    }
    await this.#hashObjects(image);
  }

  async #checkBoot(files: TreeFiles): Promise<void> {
    const { keys: given, sbatLevel } = this.#options;
    const draft = this.#chain.link("keys", given?.name ?? "the keys that the image enrols");
    const enrolment = await draft.attempt((): EnrolmentFile[] => findEnrolmentFiles(files));
    const keys = await checkFirmwareKeys(draft, given, enrolment ?? [], sbatLevel);
    this.#keys = keys;
    const place = this.#chain.link("loader", "systemd-boot of the image");
    const ukis = await place.attempt(() => findUkis(files), { remedy: "leave only the UKI to boot in the image" });
    const [path, ...others] = ukis ?? [];
    if (path === undefined) {
      if (ukis === undefined) return;
      place.find("unchecked", "without a UKI nothing says which loader would be installed");
      this.#chain.link("uki", "/boot/EFI/Linux").broken("the image has no UKI: it is not sealed", {
        ...{ path: "/boot/EFI/Linux", expected: "a UKI", found: "none", remedy: SEAL },
      });
      return;
    }
    const bytes = files.read(path);
    await place.attempt(async () => {
      const loader = findLoader(files, parsePe(bytes, "the UKI").architecture);
      if (loader === undefined) {
        place.broken("the image has no systemd-boot, so nothing starts its UKI", {
          remedy:
            "install the package that has it in the image (Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned)",
        });
        return;
      }
      const program = { what: "the boot loader", path: loader, bytes: files.read(loader) };
      this.#programs = [program];
      await checkProgram(place, program.bytes, program.what, loader, keys);
      const component = systemdComponentOf(parsePe(program.bytes));
      place.fact(component === undefined ? "it is not systemd-boot" : `${component.component} ${component.version}`);
    });
    await this.#checkUki(files, path, others, bytes, keys);
  }

  async #checkUki(
    files: TreeFiles,
    path: string,
    others: readonly string[],
    bytes: Uint8Array,
    keys: FirmwareKeys,
  ): Promise<void> {
    const addons = listAddons(files, path).map((addon) => ({ path: addon.path, bytes: files.read(addon.path) }));
    const given = { path, bytes, addons, addonsAreLoaded: false, deploymentId: undefined };
    if (others.length > 0) {
      this.#chain.link("entry", "/boot/EFI/Linux").broken("the image has several UKIs, so none would be installed", {
        ...{ path: "/boot/EFI/Linux", expected: "one UKI", found: [path, ...others].join(", ") },
        remedy: "leave only the one to boot in the image",
      });
    }
    this.#uki = await checkUki(this.#chain, given, keys);
    this.#programs = [...this.#programs, ...(this.#uki?.programs ?? [])];
  }

  /** Those of the layers have been written, or compared with the layers, but a repository may have suffered since. */
  async #hashObjects({ root, repository }: LayeredImage): Promise<void> {
    const objects = new ImageObjects();
    objects.add(root, false);
    const list = objects.list();
    if (list.length === 0) return;
    const draft = this.#chain.link("objects", `${list.length} objects`);
    draft.checkedBy("their digests, and those of the layers");
    const { settings } = repository.objects;
    const ids = list.map(({ id }) => id);
    const faults = await runStep(this.#options.events, "hash the objects", ({ progress }) => {
      let done = 0;
      return objectFaults(settings, repository.workers, ids, (count) => {
        done += count;
        progress(done, ids.length, "items");
      });
    });
    for (const [id, { kind, detail }] of faults) {
      draft.broken(`the object of ${objects.pathOf(id)}: ${FAULT_WORDS[kind]}`, {
        ...{ expected: id, ...(detail === undefined ? {} : { found: detail }), remedy: "sealroot repo fsck --repair" },
      });
    }
    const bytes = list.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#hashed = { objects: list.length, bytes };
    draft.fact(`${bytes} bytes were hashed`);
  }

  async report(): Promise<VerifyReport> {
    const uki = this.#uki;
    const { materials } = this.#options;
    if (materials !== undefined) {
      materials.programs = this.#programs;
      materials.databases = this.#keys.databases;
    }
    const judged = uki === undefined ? [] : [judgedChain(uki.path, uki)];
    await judgePolicy(this.#chain, this.#options.policy, judged, this.#programs, false);
    const links = this.#chain.finish();
    return {
      ...{ target: this.#given, kind: "image", state: stateOf(links), links, hashed: this.#hashed },
      unsigned: uki === undefined ? [] : machineTables([uki]),
      foreign: [],
    };
  }
}
