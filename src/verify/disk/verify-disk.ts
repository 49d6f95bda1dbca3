/** A disk that does not run, from the keys of the firmware to the last object; nothing is mounted or written. */

import { LUKS_SLOT_TEXT, type LuksVolume } from "../../bootplan/index.ts";
import { byteStringOfText } from "../../bytes/index.ts";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import {
  type DiskLayout,
  type Ext4Tree,
  PARTITION_TYPE,
  type Partition,
  readDiskLayout,
  readDiskPartitions,
} from "../../disk/index.ts";
import { runStep, type StepReporter } from "../../events/index.ts";
import { holdDisk } from "../../install/index.ts";
import { objectPath, TreeFiles } from "../../tree/index.ts";
import { enrolmentFilesOf, type ListedEntry, listEntries } from "../boot/boot-entries.ts";
import { checkEntry, checkUkiOnEsp } from "../boot/check-entry.ts";
import { type CheckedLoader, checkLoaders } from "../boot/check-loader.ts";
import type { ChainProgram, CheckedUki } from "../boot/check-uki.ts";
import { type EspFiles, fatEspFiles } from "../boot/esp-files.ts";
import { checkFirmwareKeys } from "../boot/firmware-keys.ts";
import { checkObjects } from "../objects/check-objects.ts";
import { ruleOf } from "../objects/image-rule.ts";
import type { VerifyOptions } from "../policy/options.ts";
import type { LinkDraft } from "../report/link.ts";
import type { VerifyReport } from "../report/report.ts";
import { EspWalk } from "../walk/esp-walk.ts";
import { checkImage } from "./check-images.ts";
import { checkState } from "./check-state.ts";
import { documentsOnDisk } from "./image-documents.ts";

/** @throws SealrootError when the disk cannot be opened, or is in use */
export async function verifyDisk(given: string, options: VerifyOptions): Promise<VerifyReport> {
  using held = holdDisk(given, false);
  const walk = new DiskWalk(given, options);
  await runStep(options.events, "read the disk", () => walk.readParts(held.fd, held.path));
  await runStep(options.events, "check the boot chain", () => walk.checkBoot());
  await runStep(options.events, "hash the objects", (reporter) => walk.hashObjects(held.fd, reporter));
  return await walk.report();
}

const REPAIR = "on the host: sealroot fsck --repair";
const ON_HOST = "on the host: sealroot verify --booted";

/** The root is undefined when it is encrypted. */
interface ReadParts extends DiskLayout {
  readonly root: Ext4Tree | undefined;
}

async function readParts(fd: number, path: string): Promise<ReadParts> {
  const layout = await readDiskLayout(fd, path);
  return { ...layout, root: layout.encrypted === undefined ? layout.openRoot() : undefined };
}

function reportEncryption(draft: LinkDraft, { slots }: LuksVolume): void {
  draft.fact(`its key slots: ${slots.map(({ use }) => LUKS_SLOT_TEXT[use]).join(", ")}`);
  draft.find("unchecked", "its root is encrypted: images, objects and state were not looked at", { remedy: ON_HOST });
  if (!slots.some(({ use }) => use === "open")) return;
  draft.find("weaker", "whoever has the disk can open it: it is bound to no TPM yet", {
    expected: "a slot for a TPM, and none with an empty passphrase",
    found: "a slot with an empty passphrase",
    remedy: "boot it once on its machine, with Secure Boot on; what was copied before stays open",
  });
}

/** Objects that are named one by one; after a disaster the first say enough. */
const FAULTS_NAMED_MAX = 20;

class DiskWalk {
  readonly #given: string;
  readonly #options: VerifyOptions;
  readonly #walk = new EspWalk();
  #parts: ReadParts | undefined;

  constructor(given: string, options: VerifyOptions) {
    this.#given = given;
    this.#options = options;
  }

  async readParts(fd: number, path: string): Promise<void> {
    const draft = this.#walk.chain.link("disk", this.#given);
    const parts = await draft.attempt(() => readParts(fd, path), { path });
    if (parts === undefined) return;
    this.#parts = parts;
    draft.checkedBy("the checksums of its partition table");
    const { name, number } = parts.rootPartition;
    const { encrypted } = parts;
    if (encrypted === undefined) draft.fact(`partition ${number} (${name}) is the root, ext4`);
    else {
      draft.fact(`partition ${number} (${name}) is the root, LUKS2 with ${encrypted.cipher}`);
      reportEncryption(draft, encrypted);
    }
    const unclean = parts.root?.reader.superblock.unclean;
    if (unclean !== undefined) {
      draft.broken(`its root file system is not clean, so the kernel will read something else: ${unclean}`, {
        path,
        remedy: "boot the disk and shut it down, or run e2fsck(8) on its root partition",
      });
    }
    const { esp } = parts;
    if (esp === undefined) {
      draft.broken("it has no EFI system partition", { path, expected: "an ESP", found: "none" });
      return;
    }
    await draft.attempt(async () => {
      const table = await readDiskPartitions(path);
      if (this.#options.materials !== undefined) this.#options.materials.disk = table;
      reportOtherBootPartitions(draft, table.partitions);
    });
    this.#walk.esp = await draft.attempt(() => fatEspFiles(esp), { path });
  }

  async checkBoot(): Promise<void> {
    const [esp, parts] = [this.#walk.esp, this.#parts];
    if (esp === undefined || parts === undefined) return;
    const { keys, sbatLevel } = this.#options;
    const draft = this.#walk.chain.link("keys", keys?.name ?? "loader/keys of the ESP");
    const enrolment = await draft.attempt(() => enrolmentFilesOf(esp), { path: "loader/keys" });
    this.#walk.keys = await checkFirmwareKeys(draft, keys, enrolment ?? [], sbatLevel);
    const loader = await checkLoaders((subject) => this.#walk.chain.link("loader", subject), esp, this.#walk.keys);
    this.#walk.addPrograms(loader.programs);
    this.#walk.entries = listEntries(esp);
    const { entries } = this.#walk.entries;
    if (loader.uki !== undefined) await this.#checkDirect(loader.uki, esp, parts);
    else if (entries[0] === undefined) {
      this.#walk.chain.link("entry", "loader/entries").broken("no boot entry is there that could be followed", {
        path: "loader/entries",
        expected: "an entry of a deployment",
        found: "none",
        remedy: REPAIR,
      });
    }
    for (const [index, entry] of entries.entries()) {
      const isFirst = index === 0 && loader.uki === undefined;
      if (isFirst || entry.deploymentId !== undefined) await this.#checkEntry(entry, isFirst, loader, esp, parts);
    }
  }

  async #checkEntry(
    listed: ListedEntry,
    isDefault: boolean,
    loader: CheckedLoader,
    esp: EspFiles,
    parts: ReadParts,
  ): Promise<void> {
    const draft = this.#walk.chain.link("entry", listed.path);
    draft.fact(isDefault ? "it boots by default" : "it is in the menu");
    const uki = await checkEntry(draft, listed, loader, esp, this.#walk.keys);
    if (uki === undefined) return;
    this.#walk.addUki(listed.path, uki);
    this.#walk.addPrograms(uki.programs);
    await this.#checkRoot(draft, uki, listed.deploymentId ?? "", parts);
  }

  /** A UKI in the place of the loader needs no entry, and its deployment is called after the image that it names. */
  async #checkDirect(program: ChainProgram, esp: EspFiles, parts: ReadParts): Promise<void> {
    const draft = this.#walk.chain.link("entry", program.path);
    draft.fact("the firmware starts the UKI itself");
    const uki = await checkUkiOnEsp(draft, program, undefined, esp, this.#walk.keys);
    if (uki === undefined) return;
    this.#walk.addUki(program.path, uki);
    const [first] = uki.composefsArguments;
    if (first !== undefined) await this.#checkRoot(draft, uki, first.id, parts);
  }

  async #checkRoot(draft: LinkDraft, uki: CheckedUki, deploymentId: string, { root }: ReadParts): Promise<void> {
    if (root === undefined) {
      for (const { id } of uki.composefsArguments) {
        draft.link("image", id).find("unchecked", "it is in the encrypted root", { remedy: ON_HOST });
      }
      return;
    }
    let files: TreeFiles | undefined;
    const { materials } = this.#options;
    const isFirstEntry = this.#walk.objects.isEmpty;
    for (const [index, argument] of uki.composefsArguments.entries()) {
      const image = await checkImage(draft, root, argument, index === 0);
      materials?.images.push({ ...argument, rule: image && ruleOf(image) });
      if (image === undefined) continue;
      if (isFirstEntry && index === 0) {
        await materials?.take(draft, () => materials.addSoftwareLists(image.root, (id) => readObject(root, id)));
      }
      if (!image.hasVerity) this.#walk.hasFilesWithoutVerity = true;
      this.#walk.objects.add(image.root, argument.verityOptional);
      if (index === 0) files = new TreeFiles(image.root, (id) => readObject(root, id));
    }
    const { commandLine } = uki;
    await checkState(draft, root, { deploymentId, commandLine, uki: uki.uki, files });
    if (!isFirstEntry) return;
    await materials?.take(draft, async () => {
      materials.source = await documentsOnDisk(root, deploymentId);
    });
  }

  async hashObjects(fd: number, { progress }: StepReporter): Promise<void> {
    const parts = this.#parts;
    const objects = this.#walk.objects.list();
    if (parts?.root === undefined || objects.length === 0) return;
    const draft = this.#walk.chain.link("objects", `${objects.length} objects`);
    draft.checkedBy("their digests in the images");
    const { root, rootPartition } = parts;
    const { startBytes, sizeBytes, name } = rootPartition;
    const place = { fd, partition: { startBytes, sizeBytes, name } };
    const { faults, hashedBytes } = await checkObjects(root, place, objects, progress);
    this.#walk.hashed = {
      objects: objects.length - faults.filter(({ fault }) => fault.kind === "missing").length,
      bytes: hashedBytes,
    };
    draft.fact(
      `${hashedBytes} bytes were hashed; content, verity flag, descriptor and Merkle tree of each were compared`,
    );
    for (const { id, path, fault } of faults.slice(0, FAULTS_NAMED_MAX)) {
      const { kind, message, ...data } = fault;
      const isAccepted = kind === "no-verity" && this.#walk.objects.isVerityOptional(id);
      draft.find(isAccepted ? "weaker" : "broken", `the object of ${this.#walk.objects.pathOf(id)}: ${message}`, {
        ...{ path, ...data, remedy: REPAIR },
      });
    }
    const more = faults.slice(FAULTS_NAMED_MAX);
    const isBroken = more.some(
      ({ id, fault }) => fault.kind !== "no-verity" || !this.#walk.objects.isVerityOptional(id),
    );
    if (more.length > 0) draft.find(isBroken ? "broken" : "weaker", `${more.length} more objects`);
    if (faults.some(({ fault }) => fault.kind === "no-verity")) this.#walk.hasFilesWithoutVerity = true;
  }

  report(): Promise<VerifyReport> {
    return this.#walk.report(this.#given, "disk", this.#options);
  }
}

/** systemd-boot shows the entries of an extended boot partition too (UAPI.1); firmware starts what is on any ESP. */
const EXTENDED_BOOT = "bc13c2ff-59e6-4262-a352-b275fd6f7172";

function reportOtherBootPartitions(draft: LinkDraft, partitions: readonly Partition[]): void {
  const [first, ...others] = partitions.filter(({ typeGuid }) => typeGuid === PARTITION_TYPE.efiSystem);
  draft.fact(`partition ${first?.number} (${first?.name}) is the ESP`);
  for (const { number } of others) {
    draft.find("weaker", `partition ${number} is an ESP too, which is not looked at: the firmware may start from it`);
  }
  for (const { number, typeGuid } of partitions) {
    if (typeGuid !== EXTENDED_BOOT) continue;
    draft.find("weaker", `partition ${number} is for more boot entries (XBOOTLDR), which are not looked at`);
  }
}

/** Configuration files of the image; every object is checked later, and what is wrong with it is said there. */
const OBJECT_MAX_BYTES = 1 << 26;

function readObject(root: Ext4Tree, id: string): Uint8Array {
  const file = root.find(byteStringOfText(`${REPOSITORY_PATH}/objects/${objectPath(id)}`));
  return file?.kind === "file" ? root.reader.bytes(file, OBJECT_MAX_BYTES) : new Uint8Array();
}
