/** Small sealed images as OCI layouts: everything an installation looks at, nothing that would run. */
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { formatComposefsArgument } from "../../src/bls/index.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import type { Signer } from "../../src/cms/index.ts";
import { bootImages, findImage, pullImage, type RecordedBootImage } from "../../src/imagestore/index.ts";
import { type ImageManifest, MEDIA_TYPE, OciLayout, putLayer } from "../../src/oci/index.ts";
import { addSections, parsePe, signPe, ukiPolicies, withPcrSignatures } from "../../src/pe/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { type TarMember, type TarMemberHeader, writeTar } from "../../src/tar/index.ts";
import { policyKeyPem, policySignerOfKey, signPolicies } from "../../src/tpm/index.ts";
import { loaderImage, peImage } from "../bootloader/pe-fixture.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";

export const OS_RELEASE = 'ID=testos\nPRETTY_NAME="Test OS"\nVERSION_ID=1.0\n';

/** One file, link or directory of the image; directories are given by content `undefined`. */
export interface ImageFile {
  readonly path: string;
  readonly content?: string | Uint8Array;
  readonly linkPath?: string;
  readonly header?: Partial<TarMemberHeader>;
}

/** The keys that the image enrols, and that its loader and UKI are signed with. */
export const TEST_KEYS = await temporaryKeys();
const SIGNED_LOADER = await signPe(loaderImage("257.13-1"), TEST_KEYS.signer);
export const LOADER_PATH = "usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed";

/** The files that enrol keys, in the folder of this name. */
export function enrolmentFiles(enrolment: Readonly<Record<string, Uint8Array>>, folder = "auto"): ImageFile[] {
  return Object.entries(enrolment).map(([name, content]) => ({
    path: `usr/lib/bootc/install/secureboot-keys/${folder}/${name}.auth`,
    content,
  }));
}

const MTIME_SECONDS = 1_600_000_000n;

/** What the image has by default: files of every sort in /etc and /var, objects of several sizes, loader, keys. */
export function baseFiles(): ImageFile[] {
  return [
    { path: "boot" },
    { path: "dev" },
    { path: "etc", header: { mode: 0o751 } },
    { path: "etc/.updated", content: "old" },
    { path: "etc/hostname", content: "testos\n" },
    { path: "etc/shadow", content: "root:*:".repeat(20), header: { mode: 0o640, gid: 42 } },
    { path: "etc/empty", content: "" },
    { path: 'etc/odd "name" ü', content: "x".repeat(5000), header: { uid: 1000, gid: 1000, mode: 0o4755 } },
    { path: "etc/link", linkPath: "hostname" },
    { path: "proc" },
    { path: "run" },
    { path: "sys" },
    { path: "sysroot" },
    { path: "tmp", header: { mode: 0o1777 } },
    { path: "usr" },
    { path: "usr/bin" },
    { path: "usr/bin/tool", content: Buffer.alloc(300_000, "tool"), header: { mode: 0o755 } },
    { path: "usr/bin/small", content: "s".repeat(100), header: { mode: 0o755 } },
    { path: "usr/lib" },
    { path: "usr/lib/os-release", content: OS_RELEASE },
    { path: "usr/lib/systemd" },
    { path: "usr/lib/systemd/boot" },
    { path: "usr/lib/systemd/boot/efi" },
    { path: LOADER_PATH, content: SIGNED_LOADER },
    { path: "usr/lib/bootc" },
    { path: "usr/lib/bootc/install" },
    { path: "usr/lib/bootc/install/secureboot-keys" },
    { path: "usr/lib/bootc/install/secureboot-keys/auto" },
    ...enrolmentFiles(TEST_KEYS.enrolment),
    { path: "var" },
    { path: "var/log", header: { mode: 0o2755, gid: 4 } },
    { path: "var/log/first", content: "f".repeat(70) },
    { path: "var/spool", header: { xattrs: new Map([[byteStringOfText("security.capability"), CAPABILITY]]) } },
  ];
}

/** A version 2 capability (linux/capability.h, vfs_cap_data): cap_net_raw, permitted. */
const CAPABILITY = Uint8Array.of(1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

export interface UkiOptions {
  readonly commandLine?: string;
  readonly initramfs?: Uint8Array;
  readonly architecture?: "x64" | "aa64";
  /** More sections. */
  readonly sections?: Readonly<Record<string, string | Uint8Array>>;
}

/** A UKI as far as anything looks at it without starting it. */
export function ukiImage(deploymentId: string, options: UkiOptions = {}): Uint8Array {
  return peImage(
    {
      ".text": "stub",
      ".osrel": OS_RELEASE,
      ".cmdline": options.commandLine ?? `${formatComposefsArgument(deploymentId)} rw`,
      ".linux": "kernel",
      ".initrd": options.initramfs ?? "initramfs",
      ".dtb": "devicetree",
      ...options.sections,
    },
    options.architecture ?? "x64",
  );
}

function memberOf(file: ImageFile): TarMember {
  const kind = file.linkPath !== undefined ? "symlink" : file.content === undefined ? "directory" : "file";
  const header: TarMemberHeader = {
    kind,
    path: byteStringOfText(file.path),
    mode: kind === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtimeSeconds: MTIME_SECONDS,
    ...(file.linkPath === undefined ? {} : { linkPath: byteStringOfText(file.linkPath) }),
    ...file.header,
  };
  return file.content === undefined ? { header } : { header, body: Buffer.from(file.content) };
}

/** Writes an image of the given layers and returns its reference. */
export async function writeImage(
  directory: string,
  layers: readonly (readonly ImageFile[])[],
  architecture = "amd64",
  annotations?: Readonly<Record<string, string>>,
  labels?: Readonly<Record<string, string>>,
): Promise<string> {
  const layout = await OciLayout.create(join(directory, "layout"));
  const written = [];
  for (const files of layers)
    written.push(await putLayer(layout, writeTar(files.map(memberOf)), { compression: "gzip" }));
  const config = await layout.putConfig({
    architecture,
    os: "linux",
    ...(labels === undefined ? {} : { config: { Labels: labels } }),
    rootfs: { type: "layers", diff_ids: written.map((layer) => layer.diffId) },
  });
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config,
    layers: written.map((layer) => layer.descriptor),
    ...(annotations === undefined ? {} : { annotations }),
  };
  await layout.putManifest(manifest, { tag: "latest", platform: { architecture, os: "linux" } });
  return `oci:${join(directory, "layout")}:latest`;
}

/** The layer that seals: the UKI where the digest does not reach. @param boot the image's own entry of /boot */
export function ukiLayer(uki: Uint8Array, boot: ImageFile = { path: "boot" }): ImageFile[] {
  return [boot, { path: "boot/EFI" }, { path: "boot/EFI/Linux" }, { path: "boot/EFI/Linux/6.12.efi", content: uki }];
}

export interface Type1Options {
  readonly kernelRelease?: string;
  readonly kernel?: Uint8Array;
  readonly initramfs?: Uint8Array;
}

/** What an image that boots without a seal has besides {@link baseFiles}: kernel and initramfs. */
export function type1Files(options: Type1Options = {}): ImageFile[] {
  const { kernelRelease = "6.12", kernel = plainKernel(), initramfs = Buffer.from("initramfs") } = options;
  const folder = `usr/lib/modules/${kernelRelease}`;
  return [
    { path: "usr/lib/modules" },
    { path: folder },
    { path: `${folder}/vmlinuz`, content: kernel },
    { path: `${folder}/initramfs.img`, content: initramfs },
  ];
}

/** A kernel as far as anything looks at it without starting it. */
export function plainKernel(text = "kernel", architecture: "x64" | "aa64" = "x64"): Uint8Array {
  return peImage({ ".text": text }, architecture);
}

/** An image by what made it; see `bootImages`. */
export type RuledImage = RecordedBootImage;

export interface SealOptions {
  /** Gets the ordinary image of version 1, and all that can be made. */
  readonly commandLine?: (deploymentId: string, images: readonly RuledImage[]) => string;
  /** Gets the command line that is sealed. */
  readonly initramfs?: (commandLine: string) => Uint8Array;
  readonly architecture?: "x64" | "aa64";
  /** Who signs the UKI; the image's own key when absent, nobody when null. */
  readonly signer?: Signer | null;
  /** Files of the layer with the UKI. */
  readonly beside?: readonly ImageFile[];
  /** Of the manifest: another image with the same files. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of the configuration. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Phases of a boot for which the UKI has signed policies; it has none if absent. */
  readonly policyPhases?: readonly string[];
}

/** Made once: RSA keys take their time. */
const POLICY_KEY = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

/** The UKI with `.pcrpkey` and `.pcrsig`. */
async function withPolicies(uki: Uint8Array, phases: readonly string[]): Promise<Uint8Array> {
  const signer = policySignerOfKey(POLICY_KEY);
  const keyed = addSections(uki, [{ name: ".pcrpkey", content: policyKeyPem(signer.publicKey) }]);
  return withPcrSignatures(keyed, await signPolicies(ukiPolicies(parsePe(keyed), ["sha256"], phases), signer));
}

/** Writes an image of these files and a UKI that asks for exactly them. */
export async function sealImage(
  directory: string,
  files: readonly ImageFile[],
  options: SealOptions = {},
): Promise<{ reference: string; deploymentId: string; images: readonly RuledImage[] }> {
  const unsealed = join(directory, "unsealed");
  const images = await allBootImages(await writeImage(unsealed, [files]), join(directory, "repository"));
  const deploymentId = images[0]?.id ?? "";
  const commandLine = options.commandLine?.(deploymentId, images);
  const initramfs = options.initramfs?.(commandLine ?? `${formatComposefsArgument(deploymentId)} rw`);
  const uki = ukiImage(deploymentId, {
    ...(commandLine === undefined ? {} : { commandLine }),
    ...(initramfs === undefined ? {} : { initramfs }),
    ...(options.architecture === undefined ? {} : { architecture: options.architecture }),
  });
  const { signer = TEST_KEYS.signer, beside = [], annotations, labels, policyPhases } = options;
  const unsigned = policyPhases === undefined ? uki : await withPolicies(uki, policyPhases);
  const signed = signer === null ? unsigned : await signPe(unsigned, signer);
  const boot = files.find(({ path }) => path === "boot");
  return {
    reference: await writeImage(
      directory,
      [files, [...ukiLayer(signed, boot), ...beside]],
      "amd64",
      annotations,
      labels,
    ),
    deploymentId,
    images,
  };
}

/** Writes an image without UKI, and says which images can be made of it. */
export async function unsealedImage(
  directory: string,
  files: readonly ImageFile[],
): Promise<{ reference: string; images: readonly RuledImage[] }> {
  const reference = await writeImage(directory, [files]);
  return { reference, images: await allBootImages(reference, join(directory, "repository")) };
}

async function allBootImages(reference: string, repositoryPath: string): Promise<RuledImage[]> {
  const { repository } = await initRepository(repositoryPath, { algorithm: "sha512", protection: "insecure" });
  using _ = repository;
  await pullImage(repository, reference, { name: "unsealed" });
  const images: RuledImage[] = [];
  for await (const { store: _, ...image } of bootImages(repository, await findImage(repository, "unsealed"))) {
    images.push(image);
  }
  return images;
}

/** How most tests install: what they are about comes beside it. */
export const SMALL_DISK = {
  sizeBytes: 256 << 20,
  espSizeBytes: 64 << 20,
  wipe: false,
  targetName: "quay.io/example/os:latest",
  targetTransport: "registry",
  addonNames: [],
} as const;
