/** What the disk boots with: the boot chain of a sealed image, or that of an unsealed one with this disk's arguments. */
import {
  CommandLine,
  checkCommandLine,
  checkCommandLineLength,
  checkUserArguments,
  INITRAMFS_FILE,
  kernelFolderName,
  SEALED_LINE_KEYS,
  startedLine,
  type1Arguments,
} from "../bls/index.ts";
import {
  type AddonNames,
  type Architecture,
  checkDeployment,
  checkOpensEncryptedRoot,
  checkUnsealedDeployment,
  findSealedContents,
  findType1Contents,
  refuseAddons,
} from "../bootimage/index.ts";
import { type BootLoader, ESP_KERNELS_FOLDER, type EspLayout, espLayout, systemdBoot } from "../bootloader/index.ts";
import {
  type DeploymentRecord,
  type Protection,
  protectionOf,
  recordOfType1,
  recordOfUki,
  type SealedDeployment,
  type Type1Deployment,
} from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { StepReporter } from "../events/index.ts";
import {
  checkBootSignatures,
  databasesOf,
  OPTION_ROM_ADVICE,
  sealedPrograms,
  startsOptionRoms,
} from "../keys/index.ts";
import { type LoadedConfiguration, loadImageConfiguration } from "./configuration.ts";
import { isBlockDevice } from "./open-target.ts";
import type { InstallToDiskOptions, UnsealedChoices } from "./options.ts";
import type { StagedImage } from "./stage-image.ts";

/** Everything about a boot chain that the steps of an installation ask for. */
export interface BootChain {
  readonly architecture: Architecture;
  /** UUID that the root file system gets. */
  readonly rootUuid: string;
  /** As the kernel will get it, without add-ons. */
  readonly commandLine: string;
  /** False when the image has no signed loader. */
  readonly loaderIsSigned: boolean;
  readonly bootType: "uki" | "bls";
  readonly protection: Protection | undefined;
  readonly esp: EspLayout;
  /** What is written down about the deployment, for this name of the image. */
  readonly record: (imageReference: string) => DeploymentRecord;
  /** The image's installation configuration, which the arguments may have come from. */
  readonly configuration: LoadedConfiguration;
}

type Staged<Deployment> = StagedImage & Deployment;

/**
 * Finds and checks the boot chain.
 *
 * @param defaultRootUuid for the root file system, unless a sealed command line demands another
 * @throws SealrootError as findSealedContents and checkDeployment, findType1Contents and checkUnsealedDeployment,
 *   checkBootSignatures; `usage` for an option that this kind of image cannot honour
 */
export async function findBootChain(
  image: StagedImage,
  options: InstallToDiskOptions,
  defaultRootUuid: string,
  reporter: StepReporter,
): Promise<BootChain> {
  return image.bootType === "uki"
    ? sealedChain(image, options, defaultRootUuid, reporter)
    : unsealedChain(image, options, defaultRootUuid, reporter);
}

async function sealedChain(
  image: Staged<SealedDeployment>,
  options: InstallToDiskOptions,
  defaultRootUuid: string,
  reporter: StepReporter,
): Promise<BootChain> {
  refuseArguments(options.unsealed);
  const { deploymentId } = image;
  const boot = findSealedContents(image.files, image.architecture, addonNames(options));
  checkDeployment(boot, { allowMissingVerity: options.allowMissingVerity ?? false }, reporter.warn);
  if (options.encryption !== undefined) checkOpensEncryptedRoot(boot.ukiBytes);
  if (boot.unknownRoot !== undefined) {
    reporter.warn(`The sealed command line says root=${boot.unknownRoot}: see that the new disk is found by that name`);
  }
  const loaderIsSigned = await checkBootSignatures({ ...boot, programs: sealedPrograms(boot) }, reporter);
  const missingVerityAllowed = boot.composefsArguments.some(({ verityOptional }) => verityOptional);
  const { uki, ukiBytes, osRelease, addons } = boot;
  return {
    architecture: boot.architecture,
    rootUuid: boot.rootUuid ?? defaultRootUuid,
    commandLine: uki.commandLine ?? "",
    loaderIsSigned,
    bootType: "uki",
    protection: protectionOf({ bootType: "uki", missingVerityAllowed }),
    esp: espLayout(loaderOf(boot, options, reporter), { deploymentId, uki: ukiBytes, osRelease, addons }),
    record: (imageReference) => recordOfUki(image, imageReference, uki),
    configuration: await loadImageConfiguration(image.files, boot.architecture.machine),
  };
}

async function unsealedChain(
  image: Staged<Type1Deployment>,
  options: InstallToDiskOptions,
  rootUuid: string,
  reporter: StepReporter,
): Promise<BootChain> {
  const { deploymentId } = image;
  const allowMissingVerity = options.allowMissingVerity ?? false;
  const { unsealed } = options;
  if (options.encryption !== undefined) {
    throw new SealrootError("unsupported", "Cannot encrypt the disk: the image is not sealed, so no TPM can tell it", {
      path: "--encrypt",
      hint: "seal the image with --pcr-phase enter-initrd and a key of sealroot keys generate --pcr",
    });
  }
  checkUnsealedDeployment({ allowUnsealed: unsealed !== undefined, allowMissingVerity }, reporter.warn);
  refuseAddons(addonNames(options), "give --karg");
  const boot = await findType1Contents(image.files, image.architecture, image.kernel, reporter.warn);
  const { architecture, files, osRelease, paths } = boot;
  const programs = [{ what: `the kernel ${paths.kernelPath}`, bytes: files.kernel }];
  const loaderIsSigned = await checkBootSignatures({ ...boot, programs }, reporter);
  const configuration = await loadImageConfiguration(image.files, architecture.machine);
  const line = installedLine({
    decided: [`root=UUID=${rootUuid}`, "rw"],
    image: type1Arguments({ id: deploymentId, verityOptional: allowMissingVerity }),
    configured: configuration.configuration.kargs ?? [],
    configuredDeletes: configuration.configuration["karg-deletes"] ?? [],
    choices: unsealed,
    imageArguments: boot.kernelArguments,
  });
  const what = "the kernel command line";
  checkCommandLine(line, { what, decidedKeys: SEALED_LINE_KEYS, protects: "installed" });
  const initrd = `/${ESP_KERNELS_FOLDER}/${kernelFolderName(deploymentId)}/${INITRAMFS_FILE}`;
  checkCommandLineLength(startedLine(line, initrd), architecture.efi, what);
  return {
    architecture,
    rootUuid,
    commandLine: line,
    loaderIsSigned,
    bootType: "bls",
    protection: protectionOf({ bootType: "bls", missingVerityAllowed: allowMissingVerity }),
    esp: espLayout(loaderOf(boot, options, reporter), {
      deploymentId,
      kernel: files,
      osRelease,
      options: line,
    }),
    record: (imageReference) => recordOfType1(image, imageReference, files),
    configuration,
  };
}

/**
 * The command line of a new host in upstream's order: root, the arguments of the installation, the image, the image's own
 * arguments (spec/host-install.md 8.10). What is deleted is deleted whoever wanted it.
 */
function installedLine(parts: {
  readonly decided: readonly string[];
  readonly image: readonly string[];
  readonly configured: readonly string[];
  readonly configuredDeletes: readonly string[];
  readonly choices: UnsealedChoices | undefined;
  readonly imageArguments: readonly string[];
}): string {
  const { choices } = parts;
  const given = choices?.kernelArguments ?? [];
  for (const text of given) checkUserArguments(text, "installed");
  const wanted = [...parts.configured, ...given, ...(choices?.disableSelinux === true ? ["selinux=0"] : [])];
  let [before, after] = [wanted, parts.imageArguments].map((texts) => CommandLine.parse(texts.join(" ")));
  for (const text of [...parts.configuredDeletes, ...(choices?.removedKernelArguments ?? [])]) {
    [before, after] = [before, after].map((line) => line && without(line, text));
  }
  let line = CommandLine.parse(parts.decided.join(" "));
  for (const more of [before?.toString(), parts.image.join(" "), after?.toString()]) line = line.add(more ?? "");
  return line.toString();
}

/** `key=value` means just that argument, a bare `key` all with it (bootc-install-config(5), karg-deletes). */
function without(line: CommandLine, text: string): CommandLine {
  return text.includes("=") ? line.removeExact(text) : line.removeKey(text);
}

function loaderOf(
  boot: {
    readonly loader: Uint8Array;
    readonly architecture: Architecture;
    readonly enrolmentFiles: Parameters<typeof systemdBoot>[0]["enrolmentFiles"];
  },
  { enrolment, target }: Pick<InstallToDiskOptions, "enrolment" | "target">,
  { warn }: Pick<StepReporter, "warn">,
): BootLoader {
  const { loader: program, architecture, enrolmentFiles } = boot;
  if (enrolment !== undefined && enrolment !== "off" && enrolmentFiles.length === 0) {
    throw new SealrootError("unsupported", `Cannot use --enroll ${enrolment}: the image has no keys to enrol`, {
      path: "--enroll",
      hint: "seal the image with --keys DIR",
    });
  }
  // Who names if-safe means virtual machines; who names nothing and a disk file, most likely too.
  const isForMachine = enrolment === undefined ? isBlockDevice(target) : ["manual", "force"].includes(enrolment);
  if (isForMachine && databasesOf(enrolmentFiles).some(({ allowed }) => !startsOptionRoms(allowed))) {
    const { lacking, effect, remedy } = OPTION_ROM_ADVICE;
    warn(`${lacking}: ${effect}; ${remedy}`);
  }
  return systemdBoot({ program, architecture: architecture.efi, enrolmentFiles, enrolment });
}

function refuseArguments(choices: UnsealedChoices | undefined): void {
  if (choices === undefined) return;
  const { kernelArguments, removedKernelArguments, disableSelinux } = choices;
  const option =
    kernelArguments.length > 0
      ? "--karg"
      : removedKernelArguments.length > 0
        ? "--karg-delete"
        : disableSelinux
          ? "--disable-selinux"
          : undefined;
  if (option === undefined) return;
  throw new SealrootError("unsupported", `Cannot use ${option}: the image is sealed, and with it its command line`, {
    path: option,
    hint: "seal the image with the arguments that it is to have",
  });
}

function addonNames({ addonNames: scoped, globalAddonNames: global = [] }: InstallToDiskOptions): AddonNames {
  return { scoped, global };
}
