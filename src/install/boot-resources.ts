/** Finds in an image what is installed for booting it, and refuses images that cannot boot sealed (spec/host-install.md 8.5, 8.9, 8.10). */
import { CommandLine, type ComposefsArgument, findComposefsArguments } from "../bls/index.ts";
import { type EnrolmentFile, isAndroidBootImage, type UkiAddon } from "../bootloader/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type EfiArchitecture, readUki, type Uki } from "../pe/index.ts";
import type { TreeFiles } from "../tree/index.ts";

/** What goes from the image to the ESP, and what it says about the root. */
export interface BootResources {
  readonly uki: Uki;
  readonly ukiBytes: Uint8Array;
  readonly loader: Uint8Array;
  /** False when the image has only the unsigned loader: Secure Boot will refuse it. */
  readonly loaderIsSigned: boolean;
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

const UKI_FOLDER = "/boot/EFI/Linux";
const MODULES_FOLDER = "/usr/lib/modules";
const LOADER_FOLDER = "/usr/lib/systemd/boot/efi";
const KEYS_FOLDER = "/usr/lib/bootc/install/secureboot-keys";
const ADDON_SUFFIX = ".addon.efi";

/** OCI's names of the architectures, and UEFI's. */
const EFI_ARCHITECTURE: Readonly<Record<string, EfiArchitecture>> = { amd64: "x64", arm64: "aa64" };

/**
 * @param architecture the image's, as its configuration says
 * @param addonNames add-ons to install; those not named stay away
 * @throws SealrootError `unsupported` for an image that is not sealed or lacks a part, naming part and remedy; `conflict`
 *   for several UKIs or one of another architecture; `not-found` for an unknown add-on
 */
export function findBootResources(
  image: TreeFiles,
  architecture: string,
  addonNames: readonly string[],
): BootResources {
  const { uki, ukiBytes, commandLine, composefs } = readSealedUki(image);
  checkArchitecture(uki, architecture);
  const root = commandLine.get("root");
  const loader = findLoader(image, uki.architecture);
  return {
    uki,
    ukiBytes,
    ...loader,
    osRelease: Buffer.from(uki.osRelease ?? []).toString("utf8"),
    composefs,
    rootUuid: uuidOfRoot(root),
    unknownRoot: root?.startsWith("UUID=") === true ? undefined : root,
    enrolmentFiles: findEnrolmentFiles(image),
    addons: findAddons(image, addonNames),
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
  return { uki, ukiBytes, commandLine, composefs };
}

function findUki(image: TreeFiles): string {
  const android = image.list("/boot").find(isAndroidBootImage);
  if (android !== undefined) {
    throw new SealrootError(
      "unsupported",
      `Cannot install the image: it boots from an Android boot image (/boot/${android}), not from a UKI`,
      { path: `/boot/${android}`, hint: "install it with bootc, which writes such images to the slots of its disk" },
    );
  }
  const candidates = [...image.filesBelow(UKI_FOLDER), ...ukisBesideKernels(image)];
  const [path, ...others] = candidates.filter((name) => name.endsWith(".efi") && !name.endsWith(ADDON_SUFFIX));
  if (path === undefined) throw noUki(image);
  if (others.length > 0) {
    throw new SealrootError("conflict", `Cannot install the image: it has ${others.length + 1} UKIs, 1 expected`, {
      actual: [path, ...others].join(", "),
      hint: "leave only the one to boot in the image",
    });
  }
  return path;
}

function ukisBesideKernels(image: TreeFiles): string[] {
  return image
    .list(MODULES_FOLDER)
    .flatMap((release) =>
      image.list(`${MODULES_FOLDER}/${release}`).map((name) => `${MODULES_FOLDER}/${release}/${name}`),
    )
    .filter((path) => path.endsWith(".efi") && image.hasFile(path));
}

function noUki(image: TreeFiles): SealrootError {
  if (!image.hasDirectory("/usr")) {
    return new SealrootError("unsupported", "Cannot install the image: it has no /usr", { path: "/usr" });
  }
  const hasKernel = image.list(MODULES_FOLDER).some((release) => image.hasFile(`${MODULES_FOLDER}/${release}/vmlinuz`));
  if (!hasKernel) {
    return new SealrootError("unsupported", "Cannot install the image: it has neither a UKI nor a kernel", {
      path: UKI_FOLDER,
      hint: "install a kernel in the image and seal it with sealroot seal",
    });
  }
  return new SealrootError("unsupported", `Cannot install the image: it is not sealed (no UKI in ${UKI_FOLDER})`, {
    path: UKI_FOLDER,
    hint: "seal it first: sealroot seal IMAGE -o IMAGE --keys DIR",
  });
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

function findLoader(image: TreeFiles, architecture: EfiArchitecture): { loader: Uint8Array; loaderIsSigned: boolean } {
  const path = `${LOADER_FOLDER}/systemd-boot${architecture}.efi`;
  if (image.hasFile(`${path}.signed`)) return { loader: image.read(`${path}.signed`), loaderIsSigned: true };
  if (image.hasFile(path)) return { loader: image.read(path), loaderIsSigned: false };
  throw new SealrootError("unsupported", `Cannot install the image: it has no systemd-boot (${path}.signed)`, {
    path: `${path}.signed`,
    hint: "Install the package that has it in the image (Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned)",
  });
}

function findEnrolmentFiles(image: TreeFiles): EnrolmentFile[] {
  const found: EnrolmentFile[] = [];
  for (const folder of image.list(KEYS_FOLDER)) {
    const path = `${KEYS_FOLDER}/${folder}`;
    if (!image.hasDirectory(path)) {
      throw new SealrootError("unsupported", `Cannot install the Secure Boot keys: ${path} is not a directory`, {
        path,
      });
    }
    for (const name of image.list(path)) {
      if (!name.endsWith(".auth") || !image.hasFile(`${path}/${name}`)) continue;
      found.push({ folder, name, bytes: image.read(`${path}/${name}`) });
    }
  }
  return found;
}

function findAddons(image: TreeFiles, names: readonly string[]): UkiAddon[] {
  const paths = image.filesBelow(UKI_FOLDER);
  const found: UkiAddon[] = [];
  for (const name of names) {
    const path = paths.find((candidate) => candidate.endsWith(`/${name}${ADDON_SUFFIX}`));
    if (path === undefined) {
      throw new SealrootError(
        "not-found",
        `Cannot install the add-on ${name}: the image has no ${name}${ADDON_SUFFIX}`,
        {
          path: UKI_FOLDER,
        },
      );
    }
    found.push({ name, bytes: image.read(path) });
  }
  return found;
}

function uuidOfRoot(root: string | undefined): string | undefined {
  if (root === undefined || !root.startsWith("UUID=")) return undefined;
  const uuid = root.slice("UUID=".length).toLowerCase();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return uuid;
  throw corrupt(`Cannot install the image: root=${root} on its command line is not the UUID of an ext4 file system`);
}
