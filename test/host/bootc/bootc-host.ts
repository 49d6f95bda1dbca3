/**
 * Hosts as folders, as bootc 1.16.9 and 1.17 leave them: made from the specification by code of these tests alone, with none
 * of our writers. Only the bytes of EROFS images come from ours, which other tests hold against the reference tool's.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CommandLine } from "../../../src/bls/index.ts";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { writeCpio } from "../../../src/cpio/index.ts";
import { stageDeployment } from "../../../src/deployment/index.ts";
import { silent } from "../../../src/events/index.ts";
import type { HostPlaces } from "../../../src/host/index.ts";
import { openImage } from "../../../src/images/index.ts";
import { readStoredImage } from "../../../src/imagestore/index.ts";
import { parseReference } from "../../../src/oci/index.ts";
import { initRepository } from "../../../src/repository/index.ts";
import {
  baseFiles,
  type ImageFile,
  LOADER_PATH,
  sealImage,
  type1Files,
  unsealedImage,
} from "../../install/sealed-image.ts";
import { entryFile, entryText, GRUB_PROLOGUE, menuBlock, originText, sortKey, type Type1Entry } from "./boot-texts.ts";
import { BootcRepository, type LayoutImage, type RepositoryForm } from "./repository.ts";
import type { Member } from "./tar-walk.ts";

export type BootcRelease = "1.16.9" | "1.17";

/** What boots the deployments: a boot loader, with kernels as files or with UKIs. */
export type BootcKind = "systemd-uki" | "systemd-type1" | "grub-type1" | "grub-uki";

export const BOOTC_KINDS: readonly BootcKind[] = ["systemd-uki", "systemd-type1", "grub-type1", "grub-uki"];

/** What hosts that were installed by still older releases look like. */
export interface Legacy {
  readonly repository?: Partial<RepositoryForm>;
  /** `.imginfo` beside an origin file that names no manifest. */
  readonly imginfo?: boolean;
  /** An origin file without boot digest. */
  readonly noBootDigest?: boolean;
  /** Boot files called by the id alone. */
  readonly noPrefix?: boolean;
}

export interface BootcHostOptions extends Legacy {
  readonly kind: BootcKind;
  readonly release: BootcRelease;
}

/** An image that can be deployed. */
export interface BootcImage {
  readonly layout: string;
  /** The id of its deployment. */
  readonly deploymentId: string;
  /** Its EROFS images by what the configuration's stream calls them. */
  readonly erofsImages: ReadonlyMap<string, Uint8Array>;
  /** Names it for `openImage`. */
  readonly reference: string;
  readonly manifestDigest: string;
}

interface Deployed extends LayoutImage {
  readonly id: string;
  readonly bootDigest: string;
  /** The folder that its kernel is in, or its UKI without suffix: of another deployment where that is shared. */
  readonly artifact: string;
  readonly entry: Omit<Type1Entry, "sortKey">;
}

export const FOLLOWED = "docker://quay.io/example/os:1";
/** Of the images of these tests (sealed-image.ts). */
const OS = { id: "testos", prettyName: "Test OS", version: "1.0" };
const LABEL = `${OS.prettyName} ${OS.version}`;

/** Has an attribute that a mount of the image does not show, so that bootc does not copy it. */
const MARKED: ImageFile = {
  path: "etc/marked",
  content: "marked\n",
  header: { xattrs: new Map([[byteStringOfText("user.mark"), Buffer.from("m")]]) },
};

/** Of an image without seal: with the program that mounts the root. */
const INITRAMFS = writeCpio([
  { kind: "file", path: byteStringOfText("usr/lib/bootc/initramfs-setup"), mode: 0o755, bytes: Buffer.from("setup") },
]);

/** Files that neither bootc nor we have written. */
const FOREIGN = {
  esp: {
    "EFI/Microsoft/Boot/bootmgfw.efi": "another system",
    "EFI/Linux/other.efi": "another system's UKI",
    "loader/addons/global.addon.efi.txt": "a note",
    "loader/random-seed": "seed",
  },
  root: {
    "composefs/bootc/storage/overlay-images/images.json": "[]",
    "state/os/default/var/lib/data": "data",
    "boot/grub2/grub.cfg": "# of bootupd\n",
  },
};

export class BootcHost implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "sealroot-bootc-"));
  readonly physicalRoot = join(this.path, "sysroot");
  readonly esp = join(this.path, "esp");
  readonly run = join(this.path, "run");
  /** The live directory of what runs. */
  readonly etcPath = join(this.path, "etc");
  readonly options: BootcHostOptions;
  readonly #repository: BootcRepository;
  readonly #deployed = new Map<string, Deployed>();
  #bootedId: string | undefined;

  constructor(options: BootcHostOptions) {
    this.options = options;
    for (const path of ["state/deploy", "state/os/default/var", "ostree", "boot/efi"]) {
      mkdirSync(join(this.physicalRoot, path), { recursive: true });
    }
    mkdirSync(this.run);
    mkdirSync(join(this.esp, "EFI/Linux/bootc"), { recursive: true });
    const form = { metaJson: true, oldHeaders: false, ociMetadata: true, ...options.repository };
    this.#repository = new BootcRepository(join(this.physicalRoot, "composefs"), form);
    symlinkSync("../composefs/bootc", join(this.physicalRoot, "ostree/bootc"));
    for (const [path, text] of Object.entries(FOREIGN.esp)) write(join(this.esp, path), text);
    for (const [path, text] of Object.entries(FOREIGN.root)) write(join(this.physicalRoot, path), text);
    if (options.kind !== "grub-uki") mkdirSync(join(this.bootDirectory, "loader/entries"), { recursive: true });
    if (this.isGrub) write(join(this.physicalRoot, "boot/grub2/efiuuid.cfg"), 'set EFI_PART_UUID="ABCD-1234"');
    else {
      const loader = baseFiles().find(({ path }) => path === LOADER_PATH)?.content ?? "";
      for (const path of ["EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"])
        write(join(this.esp, path), loader);
      write(join(this.esp, "loader/loader.conf"), "timeout 5");
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  get isGrub(): boolean {
    return this.options.kind.startsWith("grub");
  }

  get isUki(): boolean {
    return this.options.kind.endsWith("uki");
  }

  /** Where entries and kernels are. */
  get bootDirectory(): string {
    return this.isGrub ? join(this.physicalRoot, "boot") : this.esp;
  }

  /** What runs. */
  get booted(): string {
    return this.#bootedId ?? "";
  }

  /** An image of the host's kind; the more files make it another one. */
  async image(...more: readonly ImageFile[]): Promise<BootcImage> {
    const form = !this.isUki ? "type1" : this.options.release === "1.17" ? "v1-and-v2" : "bare-v1";
    const key = JSON.stringify([form, more]);
    const image = imageCache.get(key) ?? makeImage(form, more);
    imageCache.set(key, image);
    return image;
  }

  /** As `bootc install` leaves it, booted. @returns the id */
  install(image: BootcImage): string {
    const deployed = this.#deploy(image);
    this.#writeMenu("live", [deployed]);
    copyMembers(deployed.members, "etc", this.path);
    rmSync(join(this.etcPath, ".updated"));
    this.#bootedId = deployed.id;
    return deployed.id;
  }

  /** As `bootc upgrade` leaves it, before the shutdown. @returns the id */
  stage(image: BootcImage, { downloadOnly = false } = {}): string {
    const deployed = this.#deploy(image);
    this.#writeMenu("staged", [deployed, this.#known(this.booted)]);
    const record = `{"depl_id":"${deployed.id}","finalization_locked":${downloadOnly}}`;
    write(join(this.run, "composefs/staged-deployment"), record);
    return deployed.id;
  }

  /** As `bootc composefs-finalize-staged` and the boot after it leave what is staged. */
  finalize(): void {
    const record = join(this.run, "composefs/staged-deployment");
    const { depl_id: id } = JSON.parse(readFileSync(record, "utf8"));
    this.#exchange();
    rmSync(join(this.run, "composefs"), { recursive: true });
    // Boot files that no entry names are collected at once.
    for (const deployed of [...this.#deployed.values()]) {
      if ([id, this.booted].includes(deployed.id)) continue;
      this.#deployed.delete(deployed.id);
      const live = [...this.#deployed.values()].some(({ artifact }) => artifact === deployed.artifact);
      if (!live) rmSync(this.#artifactPath(deployed.artifact), { recursive: true, force: true });
    }
    this.#bootedId = id;
  }

  /** As `bootc rollback` leaves it: the two deployments of the menu change places. */
  rollback(): void {
    const order = [...this.#deployed.values()].filter(({ id }) => id !== this.booted);
    const [other] = order;
    if (other === undefined || order.length !== 1) throw new Error("there are not two deployments");
    rmSync(join(this.run, "composefs"), { recursive: true, force: true });
    // Up to 1.17.4 the entries lose the name of their system.
    this.#writeMenu("staged", [other, this.#known(this.booted)], this.options.release === "1.17" ? OS.id : "bootc");
    this.#exchange();
  }

  places(changes: Partial<HostPlaces> = {}): HostPlaces {
    const commandLine = CommandLine.parse(`composefs=${this.booted} rw`);
    return {
      physicalRoot: this.physicalRoot,
      bootDirectory: this.bootDirectory,
      espDirectory: this.esp,
      runDirectory: this.run,
      bootLoader: this.isGrub ? "grub" : "systemd",
      booted: { imageId: this.booted, missingVerityAllowed: false, verityRequired: true, commandLine },
      usrOverlay: undefined,
      isReadOnly: false,
      ...changes,
    };
  }

  /** Another menu than a staging or a rollback would leave. */
  writeMenu(...deploymentIds: readonly string[]): void {
    this.#writeMenu(
      "live",
      deploymentIds.map((id) => this.#known(id)),
    );
  }

  bootDigestOf(deploymentId: string): string {
    return this.#known(deploymentId).bootDigest;
  }

  manifestDigestOf(deploymentId: string): string {
    return this.#known(deploymentId).manifestDigest;
  }

  originFile(deploymentId: string): string {
    return join(this.physicalRoot, "state/deploy", deploymentId, `${deploymentId}.origin`);
  }

  /** Everything below root, ESP and /run: files with their content, links with their targets. */
  snapshot(): Map<string, string> {
    const found = new Map<string, string>();
    for (const root of [this.physicalRoot, this.esp, this.run]) {
      for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        const name = path.slice(this.path.length + 1);
        if (entry.isFile()) found.set(name, readFileSync(path, "latin1"));
        else found.set(name, entry.isSymbolicLink() ? `-> ${readlinkSync(path)}` : "directory");
      }
    }
    return found;
  }

  /** Files that no program of ours may touch, with their content. */
  foreign(): Map<string, string> {
    const paths = [
      ...Object.keys(FOREIGN.esp).map((path) => join(this.esp, path)),
      ...Object.keys(FOREIGN.root).map((path) => join(this.physicalRoot, path)),
      join(this.isGrub ? this.physicalRoot : this.esp, this.isGrub ? "boot/grub2/efiuuid.cfg" : "loader/loader.conf"),
    ];
    const files = new Map(paths.map((path) => [path, existsSync(path) ? readFileSync(path, "latin1") : "missing"]));
    return files.set("link", readlinkSync(join(this.physicalRoot, "ostree/bootc")));
  }

  #known(id: string): Deployed {
    const deployed = this.#deployed.get(id);
    if (deployed === undefined) throw new Error(`${id} is not deployed`);
    return deployed;
  }

  #deploy(image: BootcImage): Deployed {
    const { deploymentId: id, layout, erofsImages } = image;
    const stored = this.#repository.pull(layout, erofsImages);
    const boot = this.#writeBootFiles(id, stored.members);
    const deployed = { ...stored, id, ...boot };
    this.#deployed.set(id, deployed);
    this.#writeState(deployed);
    return deployed;
  }

  #writeState({ id, members, manifest, config, manifestDigest, bootDigest }: Deployed): void {
    const { imginfo = false, noBootDigest = false } = this.options;
    const state = join(this.physicalRoot, "state/deploy", id);
    mkdirSync(join(state, "etc"), { recursive: true });
    symlinkSync("../../os/default/var", join(state, "var"));
    copyMembers(members, "etc", state);
    if (this.#deployed.size === 1) copyMembers(members, "var", join(this.physicalRoot, "state/os/default"));
    rmSync(join(state, "etc/.updated"), { force: true });
    const origin = originText({
      image: FOLLOWED,
      bootType: this.isUki ? "uki" : "bls",
      bootDigest: noBootDigest ? undefined : bootDigest,
      manifestDigest: imginfo ? undefined : manifestDigest,
    });
    write(this.originFile(id), origin);
    if (imginfo) write(join(state, `${id}.imginfo`), JSON.stringify({ config, manifest }));
  }

  #writeBootFiles(id: string, members: readonly Member[]): Pick<Deployed, "artifact" | "bootDigest" | "entry"> {
    const name = this.options.noPrefix === true ? id : `bootc_composefs-${id}`;
    const { version } = OS;
    if (this.isUki) {
      const uki = members.find(({ path }) => path.endsWith("/6.12.efi"))?.body ?? Buffer.alloc(0);
      write(join(this.esp, "EFI/Linux/bootc", `${name}.efi`), uki);
      // Of the UKIs of these tests; from 1.17 on the device tree counts.
      const parts = ["kernel", "initramfs", ...(this.options.release === "1.17" ? ["devicetree"] : [])];
      const key = this.options.release === "1.17" ? "uki" : "efi";
      const boots = { key, path: `/EFI/Linux/bootc/${name}.efi` } as const;
      return { artifact: name, bootDigest: sha256(...parts), entry: { title: LABEL, version, boots } };
    }
    const file = (suffix: string) => members.find(({ path }) => path.endsWith(suffix))?.body ?? Buffer.alloc(0);
    const [kernel, initramfs] = [file("6.12/vmlinuz"), file("6.12/initramfs.img")];
    const bootDigest = sha256(kernel, initramfs);
    const shared = [...this.#deployed.values()].find((other) => other.bootDigest === bootDigest);
    const artifact = shared?.artifact ?? name;
    write(join(this.#artifactPath(artifact), "vmlinuz"), kernel);
    write(join(this.#artifactPath(artifact), "initrd"), initramfs);
    const folder = `${this.isGrub ? "/boot" : "/EFI/Linux"}/${artifact}`;
    const named =
      this.options.release === "1.17" ? `composefs.digest=v1-sha512-12:${id} composefs=${id}` : `composefs=${id}`;
    const options = `root=UUID=0a1b2c3d-0000-4000-8000-000000000000 rw ${named}`;
    const boots = { linux: `${folder}/vmlinuz`, initrd: `${folder}/initrd`, options };
    return { artifact, bootDigest, entry: { title: OS.prettyName, version, boots } };
  }

  #artifactPath(artifact: string): string {
    if (this.isUki) return join(this.esp, "EFI/Linux/bootc", `${artifact}.efi`);
    return this.isGrub ? join(this.bootDirectory, artifact) : join(this.esp, "EFI/Linux", artifact);
  }

  /** One or two deployments, the one that boots first. */
  #writeMenu(folder: "live" | "staged", deployments: readonly Deployed[], osId = OS.id): void {
    const suffix = folder === "live" ? "" : ".staged";
    if (this.options.kind === "grub-uki") {
      const blocks = deployments.map(({ id, artifact }) => menuBlock(LABEL, id, `/EFI/Linux/bootc/${artifact}.efi`));
      write(join(this.bootDirectory, `grub2/user.cfg${suffix}`), [GRUB_PROLOGUE, ...blocks].join(""));
      return;
    }
    const directory = join(this.bootDirectory, `loader/entries${suffix}`);
    rmSync(directory, { recursive: true, force: true });
    for (const [index, { entry }] of deployments.entries()) {
      const place = index === 0 ? 0 : 1;
      const text = entryText({ ...entry, sortKey: sortKey(osId, place) });
      write(join(directory, entryFile(osId, entry.version, place === 0 ? 1 : 0)), text);
    }
  }

  #exchange(): void {
    const [live, staged] =
      this.options.kind === "grub-uki"
        ? ["grub2/user.cfg", "grub2/user.cfg.staged"]
        : ["loader/entries", "loader/entries.staged"];
    rmSync(join(this.bootDirectory, live ?? ""), { recursive: true });
    renameSync(join(this.bootDirectory, staged ?? ""), join(this.bootDirectory, live ?? ""));
  }
}

/** Up to 1.16.13: the image of version 1, bare. */
const bareV1 = (id: string) => `composefs=${id} rw`;

/** From 1.17 on: the image of version 1, then that of version 2 bare. */
function v1AndV2(id: string, images: readonly { readonly id: string; readonly version: number }[]): string {
  const second = images.find(({ version }) => version === 2)?.id;
  return `composefs.digest=v1-sha512-12:${id} composefs=${second} rw`;
}

/** Images are the same for many hosts, and take longer to make than these. */
const imageCache = new Map<string, Promise<BootcImage>>();
const imagesPath = mkdtempSync(join(tmpdir(), "sealroot-bootc-images-"));
process.on("exit", () => rmSync(imagesPath, { recursive: true, force: true }));

async function makeImage(form: "type1" | "v1-and-v2" | "bare-v1", more: readonly ImageFile[]): Promise<BootcImage> {
  const directory = mkdtempSync(join(imagesPath, "image-"));
  const files = new Map<string, ImageFile>();
  const isUki = form !== "type1";
  for (const file of [...baseFiles(), MARKED, ...(isUki ? [] : type1Files({ initramfs: INITRAMFS })), ...more]) {
    files.set(file.path, file);
  }
  const all = [...files.values()];
  const { reference } = isUki
    ? await sealImage(directory, all, { commandLine: form === "v1-and-v2" ? v1AndV2 : bareV1 })
    : await unsealedImage(directory, all);
  const layout = join(directory, "layout");
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const { id, images } = await erofsImagesOf(reference, join(directory, "scratch"));
  return { layout, deploymentId: id, erofsImages: images, reference, manifestDigest: index.manifests[0].digest };
}

/** The bytes of an image's EROFS images, which a repository of its own gets from our writer. */
async function erofsImagesOf(
  reference: string,
  directory: string,
): Promise<{ id: string; images: ReadonlyMap<string, Uint8Array> }> {
  const { repository } = await initRepository(directory, { algorithm: "sha512", protection: "insecure" });
  using _ = repository;
  const image = await openImage(parseReference(reference), { policy: "accept-anything" });
  const { config } = image;
  if (config === undefined) throw new Error("the image has a configuration");
  const { deploymentId, manifestDigest } = await stageDeployment(repository, { ...image, config }, reference, silent);
  await image.close();
  const keys = (await readStoredImage(repository, manifestDigest))?.images ?? new Map<string, string>();
  return { id: deploymentId, images: new Map([...keys].map(([key, id]) => [key, repository.objects.read(id)])) };
}

function copyMembers(members: readonly Member[], folder: string, directory: string): void {
  for (const { path, kind, mode, uid, gid, target, body } of members) {
    if (path !== folder && !path.startsWith(`${folder}/`)) continue;
    const place = join(directory, path);
    if (kind === "directory") mkdirSync(place, { recursive: true });
    else if (kind === "symlink") symlinkSync(target, place);
    else writeFileSync(place, body);
    if (process.getuid?.() === 0) lchownSync(place, uid, gid);
    if (kind !== "symlink") chmodSync(place, mode);
  }
}

function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
