/** Finds in an image what is installed for booting it, and refuses images that cannot boot sealed (spec/host-install.md 8.5, 8.9, 8.10). */
import { CommandLine, type ComposefsArgument, findComposefsArguments } from "../bls/index.ts";
import {
  type EnrolmentFile,
  findAddons,
  findEnrolmentFiles,
  findLoader,
  findUkis,
  IMAGE_KERNELS_FOLDER,
  IMAGE_UKI_FOLDER,
  isAndroidBootImage,
  type UkiAddon,
} from "../bootloader/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type EfiArchitecture, readUki, type Uki } from "../pe/index.ts";
import { directoriesAt, hasDirectoryAt, hasFileAt, namesAt, type TreeFiles } from "../tree/index.ts";
import { checkSealedLines } from "./sealed-lines.ts";

/** What goes from the image to the ESP, and what it says about the root. */
export interface BootResources {
  readonly uki: Uki;
  readonly ukiBytes: Uint8Array;
  /** Path of the UKI in the image. */
  readonly ukiPath: string;
  readonly loader: Uint8Array;
  readonly loaderPath: string;
  readonly osRelease: string;
  /** The images that may be the root; the deployment is named after the first. At least one. */
  readonly composefs: readonly ComposefsArgument[];
  /** UUID the root file system must have, when the sealed command line says `root=UUID=…`. */
  readonly rootUuid: string | undefined;
  /** Another value of `root=`, which a new disk does not take up. */
  readonly unknownRoot: string | undefined;
  readonly enrolmentFiles: readonly EnrolmentFile[];
  readonly addons: readonly UkiAddon[];
}

/** OCI's names of the architectures, and UEFI's. */
const EFI_ARCHITECTURE: Readonly<Record<string, EfiArchitecture>> = { amd64: "x64", arm64: "aa64" };

/**
 * @param architecture the image's, as its configuration says
 * @param addonNames add-ons to install; those not named stay away
 * @throws SealrootError `unsupported` for an image that is not sealed or lacks a part, naming part and remedy, and for a
 *   kernel command line that is not fit to be booted; `conflict` for several UKIs or one of another architecture;
 *   `not-found` for an unknown add-on
 */
export function findBootResources(
  image: TreeFiles,
  architecture: string,
  addonNames: readonly string[],
): BootResources {
  const { ukiPath, uki, ukiBytes, commandLine, composefs } = readSealedUki(image);
  checkArchitecture(uki, architecture);
  const addons = findAddons(image, addonNames);
  checkSealedLines({ path: ukiPath, ...uki }, addons);
  const root = commandLine.get("root");
  const loaderPath = requireLoader(image, uki.architecture);
  return {
    uki,
    ukiBytes,
    ukiPath,
    loader: image.read(loaderPath),
    loaderPath,
    osRelease: Buffer.from(uki.osRelease ?? []).toString("utf8"),
    composefs,
    rootUuid: uuidOfRoot(root),
    unknownRoot: root?.startsWith("UUID=") === true ? undefined : root,
    enrolmentFiles: findEnrolmentFiles(image),
    addons,
  };
}

/**
 * The one UKI of an image, and which images it asks for.
 *
 * @throws SealrootError as {@link findBootResources}
 */
export function readSealedUki(image: TreeFiles) {
  const ukiPath = findUki(image);
  const ukiBytes = image.read(ukiPath);
  const uki = readUki(ukiBytes, `the UKI ${ukiPath}`);
  const commandLine = CommandLine.parse(uki.commandLine ?? "");
  const composefs = findComposefsArguments(commandLine);
  if (composefs.length === 0) {
    throw new SealrootError("unsupported", `Cannot install the image: the UKI ${ukiPath} has no composefs= argument`, {
      path: ukiPath,
      hint: "seal the image with sealroot seal",
    });
  }
  return { ukiPath, uki, ukiBytes, commandLine, composefs };
}

function findUki(image: TreeFiles): string {
  const android = namesAt(image, "/boot").find(isAndroidBootImage);
  if (android !== undefined) {
    throw new SealrootError(
      "unsupported",
      `Cannot install the image: it boots from an Android boot image (/boot/${android}), not from a UKI`,
      { path: `/boot/${android}`, hint: "install it with bootc, which writes such images to the slots of its disk" },
    );
  }
  const [path, ...others] = findUkis(image);
  if (path === undefined) throw noUki(image);
  if (others.length > 0) {
    throw new SealrootError("conflict", `Cannot install the image: it has ${others.length + 1} UKIs, 1 expected`, {
      actual: [path, ...others].join(", "),
      hint: "leave only the one to boot in the image",
    });
  }
  return path;
}

function noUki(image: TreeFiles): SealrootError {
  if (!hasDirectoryAt(image, "/usr")) {
    return new SealrootError("unsupported", "Cannot install the image: it has no /usr", { path: "/usr" });
  }
  const hasKernel = directoriesAt(image, IMAGE_KERNELS_FOLDER).some((folder) => hasFileAt(image, `${folder}/vmlinuz`));
  if (!hasKernel) {
    return new SealrootError("unsupported", "Cannot install the image: it has neither a UKI nor a kernel", {
      path: IMAGE_UKI_FOLDER,
      hint: "install a kernel in the image and seal it with sealroot seal",
    });
  }
  return new SealrootError(
    "unsupported",
    `Cannot install the image: it is not sealed (no UKI in ${IMAGE_UKI_FOLDER})`,
    {
      path: IMAGE_UKI_FOLDER,
      hint: "seal it first: sealroot seal IMAGE -o IMAGE --keys DIR",
    },
  );
}

function checkArchitecture(uki: Uki, architecture: string): void {
  const expected = EFI_ARCHITECTURE[architecture];
  if (expected === undefined || (expected !== "x64" && expected !== "aa64")) {
    throw new SealrootError("unsupported", `Cannot install the image: architecture ${architecture} is not known`, {
      expected: Object.keys(EFI_ARCHITECTURE).join(", "),
      actual: architecture,
    });
  }
  if (uki.architecture === expected) return;
  throw new SealrootError(
    "conflict",
    `Cannot install the image: it is for ${architecture}, but its UKI is for ${uki.architecture}`,
    { expected, actual: uki.architecture },
  );
}

function requireLoader(image: TreeFiles, architecture: EfiArchitecture): string {
  const found = findLoader(image, architecture);
  if (found !== undefined) return found;
  const path = `/usr/lib/systemd/boot/efi/systemd-boot${architecture}.efi.signed`;
  throw new SealrootError("unsupported", `Cannot install the image: it has no systemd-boot (${path})`, {
    path,
    hint: "install the package that has it in the image (Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned)",
  });
}

function uuidOfRoot(root: string | undefined): string | undefined {
  if (root === undefined || !root.startsWith("UUID=")) return undefined;
  const uuid = root.slice("UUID=".length).toLowerCase();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return uuid;
  throw corrupt(`Cannot install the image: root=${root} on its command line is not the UUID of an ext4 file system`);
}
