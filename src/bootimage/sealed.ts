/** What a sealed image holds: UKI, boot loader, keys. Images that cannot boot sealed are refused (spec/host-install.md 8.5, 8.9, 8.10). */
import { CommandLine, type ComposefsArgument, findComposefsArguments } from "../bls/index.ts";
import { isUuid } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { readUki, type Uki } from "../pe/index.ts";
import type { TreeFiles } from "../tree/index.ts";
import { type AddonNames, findAddons, type UkiAddon } from "./addons.ts";
import { type Architecture, installableArchitecture } from "./architecture.ts";
import { type EnrolmentFile, findAndroidImage, findEnrolmentFiles, findUkis, requireLoader } from "./contents.ts";
import { UKI_FOLDER } from "./layout.ts";
import { checkSealedLines } from "./sealed-lines.ts";
import { bootsAndroid } from "./type1.ts";

/** What goes from the image to the ESP, and what it says about the root. */
export interface SealedContents {
  readonly architecture: Architecture;
  readonly uki: Uki;
  readonly ukiBytes: Uint8Array;
  /** Path of the UKI in the image. */
  readonly ukiPath: string;
  readonly loader: Uint8Array;
  readonly loaderPath: string;
  readonly osRelease: string;
  /** The images that may be the root; the deployment is named after the first. At least one. */
  readonly composefsArguments: readonly ComposefsArgument[];
  /** UUID the root file system must have, when the sealed command line says `root=UUID=…`. */
  readonly rootUuid: string | undefined;
  /** Another value of `root=`, which a new disk does not use. */
  readonly unknownRoot: string | undefined;
  readonly enrolmentFiles: readonly EnrolmentFile[];
  readonly addons: readonly UkiAddon[];
}

/**
 * @param architectureName the image's, as its configuration says
 * @param addonNames add-ons to install; others are left out
 * @throws SealrootError `unsupported` for an image that is not sealed or lacks a part, naming part and remedy, and for
 *   a kernel command line that must not be booted; `conflict` for several UKIs or one of another architecture;
 *   `not-found` for an unknown add-on
 */
export function findSealedContents(image: TreeFiles, architectureName: string, addonNames: AddonNames): SealedContents {
  const { ukiPath, uki, ukiBytes, commandLine, composefsArguments } = findSealedUki(image);
  const architecture = checkedArchitecture(uki, architectureName);
  const addons = findAddons(image, ukiPath, addonNames);
  checkSealedLines({ path: ukiPath, ...uki }, addons);
  const root = commandLine.get("root");
  const loaderPath = requireLoader(image, uki.architecture);
  return {
    architecture,
    uki,
    ukiBytes,
    ukiPath,
    loader: image.read(loaderPath),
    loaderPath,
    osRelease: Buffer.from(uki.osRelease ?? []).toString("utf8"),
    composefsArguments,
    rootUuid: uuidOfRoot(root),
    unknownRoot: root?.startsWith("UUID=") === true ? undefined : root,
    enrolmentFiles: findEnrolmentFiles(image),
    addons,
  };
}

/** The parsed UKI of a sealed image. */
export interface SealedUki {
  /** Path of the UKI in the image. */
  readonly ukiPath: string;
  readonly uki: Uki;
  readonly ukiBytes: Uint8Array;
  readonly commandLine: CommandLine;
  /** The images that may be the root, at least one. */
  readonly composefsArguments: readonly ComposefsArgument[];
}

/**
 * The one UKI of an image, and the images it names.
 *
 * @throws SealrootError as {@link findSealedContents}
 */
export function findSealedUki(image: TreeFiles): SealedUki {
  const ukiPath = findUki(image);
  const ukiBytes = image.read(ukiPath);
  const uki = readUki(ukiBytes, `the UKI ${ukiPath}`);
  const commandLine = CommandLine.parse(uki.commandLine ?? "");
  const composefsArguments = findComposefsArguments(commandLine);
  if (composefsArguments.length === 0) {
    throw new SealrootError("unsupported", `Cannot install the image: the UKI ${ukiPath} has no composefs= argument`, {
      path: ukiPath,
      hint: "seal the image with sealroot seal",
    });
  }
  return { ukiPath, uki, ukiBytes, commandLine, composefsArguments };
}

function findUki(image: TreeFiles): string {
  const android = findAndroidImage(image);
  if (android !== undefined) throw bootsAndroid(android);
  const [path, ...others] = findUkis(image);
  if (path === undefined) throw noUki();
  if (others.length > 0) {
    throw new SealrootError("conflict", `Cannot install the image: it has ${others.length + 1} UKIs, 1 expected`, {
      actual: [path, ...others].join(", "),
      hint: "leave only the one to boot in the image",
    });
  }
  return path;
}

function noUki(): SealrootError {
  return new SealrootError("unsupported", `Cannot install the image: it is not sealed (no UKI in ${UKI_FOLDER})`, {
    path: UKI_FOLDER,
    hint: "seal it first: sealroot seal IMAGE -o IMAGE --keys DIR",
  });
}

function checkedArchitecture(uki: Uki, name: string): Architecture {
  const architecture = installableArchitecture(name);
  if (uki.architecture === architecture.efi) return architecture;
  throw new SealrootError(
    "conflict",
    `Cannot install the image: it is for ${name}, but its UKI is for ${uki.architecture}`,
    { expected: architecture.efi, actual: uki.architecture },
  );
}

function uuidOfRoot(root: string | undefined): string | undefined {
  if (root === undefined || !root.startsWith("UUID=")) return undefined;
  const uuid = root.slice("UUID=".length).toLowerCase();
  if (isUuid(uuid)) return uuid;
  throw corrupt(`Cannot install the image: root=${root} on its command line is not the UUID of an ext4 file system`);
}
