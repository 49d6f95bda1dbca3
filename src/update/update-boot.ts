/** What an update writes so that the new deployment boots, whichever kind it is, checked before anything is written. */

import { statSync } from "node:fs";
import {
  CommandLine,
  countedName,
  entryFileName,
  findComposefsArguments,
  type NamedEntry,
  osIdentity,
  parseOsRelease,
  ukiEntry,
  ukiPath,
} from "../bls/index.ts";
import {
  type AddonNames,
  checkDeployment,
  checkOpensEncryptedRoot,
  checkSealedLines,
  findSealedContents,
  findType1Contents,
  findUkis,
  listAddons,
  NO_ADDONS,
  refuseAddons,
  type UkiAddon,
} from "../bootimage/index.ts";
import { addonLines, addonPath, ukiKeyOfLoader } from "../bootloader/index.ts";
import {
  type DeploymentRecord,
  recordOfType1,
  recordOfUki,
  type SealedDeployment,
  type StagedDeployment,
  type Type1Deployment,
} from "../deployment/index.ts";
import type { EspFile } from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { StepReporter } from "../events/index.ts";
import {
  bootedKernelArguments,
  changedOnEsp,
  encryptedPartition,
  type Host,
  type HostDeployment,
  type HostPlaces,
  requireEsp,
} from "../host/index.ts";
import { checkFirmwareSignature, type SignatureDatabases } from "../keys/index.ts";
import type { Repository } from "../repository/index.ts";
import { planType1Boot } from "./type1-boot.ts";
import { lackingText, wantedAddons } from "./update-addons.ts";

export interface UpdateBoot {
  /** Of the EROFS images that the new deployment may boot. */
  readonly imageIds: readonly string[];
  /** Paths below the boot directory, in the order of writing. */
  readonly files: readonly EspFile[];
  /** Global add-ons that will be others, or new: they are written when the host is switched, as they are for every UKI. */
  readonly globalAddons: readonly EspFile[];
  /** All that the deployment boots with and that come from its image. */
  readonly addons: readonly UkiAddon[];
  readonly entry: NamedEntry;
  readonly record: DeploymentRecord;
}

export interface UpdateBootRequest {
  readonly places: HostPlaces;
  readonly bootDirectory: string;
  readonly repository: Repository;
  readonly host: Pick<Host, "booted" | "staged">;
  readonly booted: HostDeployment;
  /** Add-ons that the deployment must get besides those that the host has. */
  readonly addons: AddonNames | undefined;
  readonly imageReference: string;
  /** Accept a UKI with `composefs=?`; a boot entry without seal keeps the mark that it has. */
  readonly allowMissingVerity: boolean;
  /** The EFI variable LoaderInfo: which boot loader will read the entry. */
  readonly loaderInfo: string | undefined;
  /** What the firmware lets start; undefined when it lets start anything. */
  readonly firmware: SignatureDatabases | undefined;
  readonly reporter: StepReporter;
}

/**
 * Checks the boot chain of a new deployment and plans its files.
 *
 * @throws SealrootError as findSealedContents and checkDeployment, findType1Contents and planType1Boot,
 *   checkFirmwareSignature; `untrusted` for an image that is not sealed on a host that boots from a UKI
 */
export async function planUpdateBoot(staged: StagedDeployment, request: UpdateBootRequest): Promise<UpdateBoot> {
  const boot = await (staged.bootType === "uki" ? sealedBoot(staged, request) : unsealedBoot(staged, request));
  const { fileName, entry } = boot.entry;
  return isCounted(staged, request) ? { ...boot, entry: { fileName: countedName(fileName), entry } } : boot;
}

/** What says that a boot was good, in an image: without one a counted entry would be given up after some good boots. */
const BLESSING = ["/usr/lib/systemd/systemd-bless-boot", "/usr/lib/systemd/system/sealroot-record-boot.service"];

/** Tried so many times where the boot loader counts and the image says how it went. */
function isCounted({ files }: StagedDeployment, { places }: UpdateBootRequest): boolean {
  return places.bootLoader === "systemd" && BLESSING.some((path) => files.resolve(path) !== undefined);
}

async function sealedBoot(staged: SealedDeployment, request: UpdateBootRequest): Promise<UpdateBoot> {
  const { places, reporter, firmware } = request;
  const esp = requireEsp(places, "upgrade");
  const { deploymentId, files, architecture } = staged;
  const [path = ""] = findUkis(files);
  const wanted = wantedAddons(esp, request.host, listAddons(files, path), request.addons);
  const boot = findSealedContents(files, architecture, wanted.names);
  const { addons } = boot;
  checkDeployment(boot, request, reporter.warn);
  if (encryptedPartition(places.physicalRoot) !== undefined) checkOpensEncryptedRoot(boot.ukiBytes);
  if (boot.rootUuid !== undefined) checkRoot(boot.rootUuid, places);
  checkSealedLines({ path, ...boot.uki }, addons, addonLines(esp, wanted.staying));
  await checkFirmwareSignature(boot.ukiBytes, `the UKI ${boot.ukiPath}`, firmware, reporter);
  for (const { name, bytes } of addons) await checkFirmwareSignature(bytes, `the add-on ${name}`, firmware, reporter);
  for (const addon of wanted.lacking) reporter.warn(lackingText(addon));
  const os = osIdentity(parseOsRelease(boot.osRelease));
  const key = ukiKeyOfLoader(request.loaderInfo);
  return {
    imageIds: boot.composefsArguments.map(({ id }) => id),
    files: [{ path: ukiPath(deploymentId).slice(1), bytes: boot.ukiBytes }, ...placed(addons, "scoped", deploymentId)],
    globalAddons: changedOnEsp(esp, placed(addons, "global", deploymentId)),
    addons,
    entry: {
      fileName: entryFileName(os, deploymentId, "primary"),
      entry: ukiEntry(os, deploymentId, "primary", key),
    },
    record: recordOfUki(staged, request.imageReference, boot.uki),
  };
}

function placed(addons: readonly UkiAddon[], scope: UkiAddon["scope"], deploymentId: string): EspFile[] {
  return addons
    .filter((addon) => addon.scope === scope)
    .map((addon) => ({ path: addonPath(addon, ukiPath(deploymentId)), bytes: addon.bytes }));
}

async function unsealedBoot(staged: Type1Deployment, request: UpdateBootRequest): Promise<UpdateBoot> {
  const { booted, bootDirectory, places, reporter, repository } = request;
  const { deploymentId } = staged;
  refuseAddons(request.addons ?? NO_ADDONS, "sealroot loader-entries set-options-for-source sets kernel arguments");
  const bootedEntry = booted.entry?.entry;
  if (bootedEntry === undefined) {
    throw new SealrootError(
      "not-found",
      "Cannot use the image: the boot entry of this host is lost, and its arguments",
      {
        hint: "write an entry for the running system first, or use a sealed image",
      },
    );
  }
  const contents = await findType1Contents(staged.files, staged.architecture, staged.kernel, reporter.warn);
  await checkFirmwareSignature(
    contents.files.kernel,
    `the kernel ${staged.kernel.kernelPath}`,
    request.firmware,
    reporter,
  );
  const imageId = places.booted?.imageId ?? booted.deploymentId;
  const line = CommandLine.parse(bootedEntry.options ?? "");
  const verityOptional = findComposefsArguments(line)[0]?.verityOptional ?? false;
  const { files, entry } = planType1Boot(
    { bootDirectory, bootLoader: places.bootLoader },
    {
      image: { id: deploymentId, verityOptional },
      contents,
      bootedEntry,
      bootedArguments: await bootedKernelArguments(repository, imageId, contents.architecture),
    },
  );
  reporter.warn("The image is not sealed, and neither is this host: whoever can write to the disk decides what boots");
  return {
    imageIds: [deploymentId],
    files,
    globalAddons: [],
    addons: [],
    entry,
    record: recordOfType1(staged, request.imageReference, contents.files),
  };
}

/** A UKI that looks for another disk would not find this one. */
function checkRoot(uuid: string, { physicalRoot }: HostPlaces): void {
  const path = `/dev/disk/by-uuid/${uuid}`;
  const device = statSync(path, { throwIfNoEntry: false })?.rdev;
  // What is named is the volume; the root is what was made of it.
  const encrypted = encryptedPartition(physicalRoot);
  if (device === (encrypted === undefined ? statSync(physicalRoot).dev : statSync(encrypted).rdev)) return;
  throw new SealrootError(
    "conflict",
    `Cannot use the image: it looks for its root on another disk (root=UUID=${uuid})`,
    {
      path,
      hint: "seal the image without --root-uuid, or with that of this host",
    },
  );
}
