/** A host as a folder: physical root, ESP, /run; deployments made of small sealed images. */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  CommandLine,
  type EntryRank,
  formatBootEntry,
  osIdentity,
  parseOsRelease,
  placeEntries,
  type1Arguments,
  ukiEntry,
} from "../../src/bls/index.ts";
import { ARCHITECTURES, findSealedUki, readType1Files } from "../../src/bootimage/index.ts";
import { entryFiles, kernelEntryFiles } from "../../src/bootloader/boot-entries.ts";
import {
  formatOrigin,
  readDeployment,
  recordOfType1,
  recordOfUki,
  stageDeployment,
  VAR_LINK_TARGET,
  writeEtc,
} from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import { etcOfDeployment } from "../../src/host/etc-trees.ts";
import type { HostPlaces } from "../../src/host/index.ts";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import {
  baseFiles,
  type ImageFile,
  LOADER_PATH,
  OS_RELEASE,
  type SealOptions,
  sealImage,
} from "../install/sealed-image.ts";

/** The boot loader that every image has, and where an installation puts it. */
const LOADER = baseFiles().find(({ path }) => path === LOADER_PATH)?.content ?? "";
const LOADER_PLACES = ["EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"];

export interface AddOptions extends SealOptions {
  readonly rank?: EntryRank;
  /** More files of the image; they make it another one. */
  readonly files?: readonly ImageFile[];
  readonly imageReference?: string;
}

export class FixtureHost implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "sealroot-host-"));
  readonly physicalRoot = join(this.path, "sysroot");
  readonly bootDirectory = join(this.path, "esp");
  readonly runDirectory = join(this.path, "run");
  #images = 0;

  static async make(): Promise<FixtureHost> {
    const host = new FixtureHost();
    for (const path of [
      "sysroot/state/deploy",
      "sysroot/state/os/default/var",
      "esp/loader/entries",
      "esp/EFI/Linux/bootc",
      "run",
    ]) {
      mkdirSync(join(host.path, path), { recursive: true });
    }
    const options = { algorithm: "sha512", protection: "insecure" } as const;
    (await initRepository(join(host.physicalRoot, "composefs"), options)).repository.close();
    for (const path of LOADER_PLACES) host.writeEsp(path, LOADER);
    return host;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Writes a sealed image, without deploying it. */
  async image(options: AddOptions = {}): Promise<{ reference: string; deploymentId: string }> {
    const directory = join(this.path, `image-${++this.#images}`);
    mkdirSync(directory);
    return sealImage(directory, [...baseFiles(), ...(options.files ?? [])], options);
  }

  /** Deploys an image as an installation or an upgrade leaves it. @returns its id */
  async add(options: AddOptions = {}): Promise<string> {
    return this.deploy((await this.image(options)).reference, options);
  }

  /** The same of a sealed image that is there. @param reference `oci:DIRECTORY:TAG` */
  async deploy(reference: string, options: Pick<AddOptions, "rank" | "imageReference"> = {}): Promise<string> {
    const { rank = "primary", imageReference = "docker://quay.io/example/os:1" } = options;
    using repository = (await this.repository()).repository;
    const image = await openImage(parseReference(reference), { policy: "accept-anything" });
    const config = image.config;
    if (config === undefined) throw new Error("the image has a configuration");
    const staged = await stageDeployment(repository, { ...image, config }, reference, silent);
    await image.close();
    const { ukiBytes } = findSealedUki(staged.files);
    const record = recordOfUki(staged, imageReference, readUki(ukiBytes));
    const state = join(this.physicalRoot, "state/deploy", staged.deploymentId);
    mkdirSync(join(state, "etc"), { recursive: true });
    symlinkSync(VAR_LINK_TARGET, join(state, "var"));
    writeFileSync(this.originFile(staged.deploymentId), formatOrigin(record.origin));
    const uki = { deploymentId: staged.deploymentId, uki: ukiBytes, osRelease: OS_RELEASE, addons: [] };
    const files = entryFiles(uki, rank, { ukiKey: "efi" });
    for (const { path, bytes } of [files.uki, files.entry]) this.writeEsp(path, bytes);
    return staged.deploymentId;
  }

  /**
   * Deploys an image without seal as an installation leaves it. @returns its id
   * @param options the kernel command line, with IMAGE or IMAGE? for what names the image
   */
  async addType1(reference: string, options: string): Promise<string> {
    using repository = (await this.repository()).repository;
    const image = await openImage(parseReference(reference), { policy: "accept-anything" });
    const config = image.config;
    if (config === undefined) throw new Error("the image has a configuration");
    const staged = await stageDeployment(repository, { ...image, config }, reference, silent);
    await image.close();
    if (staged.bootType !== "bls") throw new Error("the image has no UKI");
    const { deploymentId: id } = staged;
    const kernel = readType1Files(staged.files, staged.kernel, ARCHITECTURES.amd64);
    const { origin } = recordOfType1(staged, "docker://quay.io/example/os:1", kernel);
    mkdirSync(join(this.physicalRoot, "state/deploy", id, "etc"), { recursive: true });
    symlinkSync(VAR_LINK_TARGET, join(this.physicalRoot, "state/deploy", id, "var"));
    writeFileSync(this.originFile(id), formatOrigin(origin));
    const named = (verityOptional: boolean) => type1Arguments({ id, verityOptional }).join(" ");
    const line = options.replace("IMAGE?", named(true)).replace("IMAGE", named(false));
    const files = kernelEntryFiles({ deploymentId: id, kernel, osRelease: OS_RELEASE, options: line }, "primary");
    for (const { path, bytes } of [...files.kernel, files.entry]) this.writeEsp(path, bytes);
    return id;
  }

  /** Fills a live `/etc` with that of a deployment's image, as an installation leaves it. Needs root. */
  async fillEtc(deploymentId: string, path: string): Promise<void> {
    const { origin } = readDeployment(this.physicalRoot, deploymentId);
    using repository = (await this.repository()).repository;
    const next = await etcOfDeployment(repository, origin.manifestDigest, deploymentId);
    await writeEtc({ repository, next, targetPath: path });
  }

  /** Every file below the physical root and the ESP, with its content; links with their targets. */
  snapshot(): Map<string, string> {
    const found = new Map<string, string>();
    for (const root of [this.physicalRoot, this.bootDirectory, this.runDirectory]) {
      for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (entry.isFile()) found.set(path, readFileSync(path, "latin1"));
        else found.set(path, entry.isSymbolicLink() ? `-> ${readlinkSync(path)}` : "directory");
      }
    }
    return found;
  }

  /** Makes the menu offer these deployments in this order, and no other of ours. */
  menu(...deploymentIds: readonly string[]): void {
    const directory = join(this.bootDirectory, "loader/entries");
    for (const name of readdirSync(directory)) if (name.startsWith("bootc_")) rmSync(join(directory, name));
    const os = osIdentity(parseOsRelease(OS_RELEASE));
    const entries = deploymentIds.map((id) => ({ fileName: "x.conf", entry: ukiEntry(os, id, "primary", "efi") }));
    for (const { fileName, entry } of placeEntries(entries)) {
      writeFileSync(join(directory, fileName), formatBootEntry(entry));
    }
  }

  originFile(deploymentId: string): string {
    return join(this.physicalRoot, "state/deploy", deploymentId, `${deploymentId}.origin`);
  }

  repository() {
    return initRepository(join(this.physicalRoot, "composefs"), { algorithm: "sha512", protection: "insecure" });
  }

  writeEsp(path: string, content: string | Uint8Array): void {
    const file = join(this.bootDirectory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  /** @param bootedId the deployment that runs */
  places(bootedId?: string, changes: Partial<HostPlaces> = {}): HostPlaces {
    const commandLine = CommandLine.parse(`composefs=${bootedId} rw`);
    return {
      physicalRoot: this.physicalRoot,
      bootDirectory: this.bootDirectory,
      runDirectory: this.runDirectory,
      bootLoader: "systemd",
      booted:
        bootedId === undefined
          ? undefined
          : { imageId: bootedId, missingVerityAllowed: false, verityRequired: true, commandLine },
      usrOverlay: undefined,
      isReadOnly: false,
      ...changes,
    };
  }
}
