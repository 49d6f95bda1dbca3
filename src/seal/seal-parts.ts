/** Everything that is put into a sealed image, in the order that makes its digest right. */
import { CommandLine } from "../bls/index.ts";
import { formatPermit } from "../bootplan/index.ts";
import type { Signer } from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { EnrolmentFiles } from "../keys/index.ts";
import { buildUki, kernelRelease, parsePe, signPe } from "../pe/index.ts";
import type { Repository } from "../repository/index.ts";
import type { TarMember } from "../tar/index.ts";
import { cloneTree, type DirectoryNode } from "../tree/index.ts";
import { type AddedFile, addedLayerMembers } from "./added-layer.ts";
import type { Architecture } from "./architecture.ts";
import { type BootComponents, findBootComponents, UKI_FOLDER } from "./boot-components.ts";
import type { ImageFiles } from "./image-files.ts";
import { applyMembers, bootableImageIds } from "./image-id.ts";
import type { SealedRoot } from "./initramfs/index.ts";
import { imageKernelArguments, KARGS_FOLDER, sealedCommandLine } from "./kernel-arguments.ts";
import { imagesToName, type NamedImage, type SealedForm } from "./sealed-forms.ts";

/** Where systemd-boot's enrolment files stand in an image (spec/host-install.md 8.9). */
const ENROLMENT_FOLDER = "/usr/lib/bootc/install/secureboot-keys/auto";

/** The image to seal, unpacked. */
export interface UnpackedImage {
  readonly repository: Repository;
  /** The tree of all layers, before any transform; only read. */
  readonly root: DirectoryNode;
  readonly files: ImageFiles;
}

export interface SealSettings {
  readonly architecture: Architecture;
  /** Signs boot loader and UKI; undefined leaves the UKI to be signed elsewhere. */
  readonly signer: Signer | undefined;
  /** A boot loader signed elsewhere, used instead of signing the image's. */
  readonly signedLoader: Uint8Array | undefined;
  readonly enrolment: EnrolmentFiles | undefined;
  readonly rootUuid: string | undefined;
  readonly form: SealedForm;
  readonly verityOptional: boolean;
  readonly userArguments: readonly string[];
  /** mtime of everything new in the image, seconds since 1970. */
  readonly timeSeconds: bigint;
  /** Makes the initramfs that goes into the UKI; it knows the root that it is sealed with. */
  buildInitramfs(components: BootComponents, sealedRoot: SealedRoot): Promise<Uint8Array>;
}

export interface SealParts {
  /** The images whose digests are sealed; the deployment is named after the first. */
  readonly images: readonly [NamedImage, ...NamedImage[]];
  readonly commandLine: string;
  readonly kernelRelease: string;
  readonly uki: Uint8Array;
  readonly ukiPath: string;
  readonly initramfsSizeBytes: number;
  /** The layer to add. */
  readonly members: TarMember[];
}

/**
 * Makes the added layer of a sealed image.
 *
 * First everything under /usr, then the digest, then the initramfs that permits this digest and no other, then the UKI
 * into /boot, which the digest leaves out.
 *
 * @throws SealrootError as {@link findBootComponents}, and `conflict` for parts of another architecture
 */
export async function makeSealParts(image: UnpackedImage, settings: SealSettings): Promise<SealParts> {
  const { root, files } = image;
  const components = findBootComponents(files, settings.architecture);
  const { kernel, stub, loader } = await readComponents(files, components, settings.architecture);
  const added: AddedFile[] = [
    ...(await signedLoaderFile(loader, components, settings)),
    ...enrolmentFiles(settings.enrolment),
  ];
  const { kernelPath, companionPaths, initramfsPath } = components;
  const removed = [kernelPath, ...companionPaths, ...(initramfsPath === undefined ? [] : [initramfsPath])];
  const sealed = cloneTree(root);
  applyMembers(sealed, addedLayerMembers(root, { added, removed }, settings.timeSeconds));
  const images = imagesToName(settings.form, settings.verityOptional, bootableImageIds(image.repository, sealed));

  const commandLine = sealedCommandLine({
    images: images.map(({ argument }) => argument),
    rootUuid: settings.rootUuid,
    imageArguments: await readKernelArguments(files, settings.architecture),
    userArguments: settings.userArguments,
  });
  const initramfs = await settings.buildInitramfs(components, { permit: formatPermit(CommandLine.parse(commandLine)) });
  const unsigned = buildUki({
    stub,
    osRelease: await files.read(components.osReleasePath),
    commandLine,
    kernelRelease: components.kernelRelease,
    kernel,
    initramfs,
  });
  const uki = settings.signer ? await signPe(unsigned, settings.signer) : unsigned;
  const ukiPath = `${UKI_FOLDER}/${components.kernelRelease}.efi`;
  const members = addedLayerMembers(
    root,
    { added: [...added, { path: ukiPath, bytes: uki }], removed },
    settings.timeSeconds,
  );
  const initramfsSizeBytes = initramfs.length;
  return {
    images,
    commandLine,
    kernelRelease: components.kernelRelease,
    uki,
    ukiPath,
    initramfsSizeBytes,
    members,
  };
}

async function readComponents(files: ImageFiles, components: BootComponents, architecture: Architecture) {
  const kernel = await files.read(components.kernelPath);
  const stub = await files.read(components.stubPath);
  const loader = await files.read(components.loaderPath);
  for (const [path, bytes] of [
    [components.loaderPath, loader],
    [components.stubPath, stub],
    [components.kernelPath, kernel],
  ] as const) {
    const { architecture: actual } = parsePe(bytes, path);
    if (actual !== architecture.efi) {
      throw new SealrootError(
        "conflict",
        `Cannot seal the image: ${path} is for ${actual}, the image for ${architecture.oci} (${architecture.efi})`,
        { path, expected: architecture.efi, actual },
      );
    }
  }
  if (architecture.efi === "x64" && kernelRelease(kernel) !== components.kernelRelease) {
    throw new SealrootError(
      "conflict",
      `Cannot seal the image: ${components.kernelPath} says it is ${kernelRelease(kernel)}`,
      {
        path: components.kernelPath,
        expected: components.kernelRelease,
        actual: kernelRelease(kernel),
        hint: "kernel and modules must come from the same package",
      },
    );
  }
  return { kernel, stub, loader };
}

async function signedLoaderFile(
  loader: Uint8Array,
  components: BootComponents,
  settings: SealSettings,
): Promise<AddedFile[]> {
  const bytes = settings.signedLoader ?? (settings.signer && (await signPe(loader, settings.signer)));
  return bytes ? [{ path: `${components.loaderPath}.signed`, bytes }] : [];
}

function enrolmentFiles(enrolment: EnrolmentFiles | undefined): AddedFile[] {
  return Object.entries(enrolment ?? {}).map(([name, bytes]) => ({ path: `${ENROLMENT_FOLDER}/${name}.auth`, bytes }));
}

async function readKernelArguments(files: ImageFiles, architecture: Architecture): Promise<string[]> {
  const names = files.list(KARGS_FOLDER).filter((name) => name.endsWith(".toml"));
  const texts = await Promise.all(
    names.map(async (name) => ({
      name,
      text: Buffer.from(await files.read(`${KARGS_FOLDER}/${name}`)).toString("utf8"),
    })),
  );
  return imageKernelArguments(texts, architecture.rust);
}
