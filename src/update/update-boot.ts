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
import { checkDeployment, findSealedContents, findType1Contents } from "../bootimage/index.ts";
import { ukiKeyOfLoader } from "../bootloader/index.ts";
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
import { bootedKernelArguments, type HostDeployment, type HostPlaces } from "../host/index.ts";
import { isSigned, type SignatureDatabases, verifyBootProgram } from "../keys/index.ts";
import type { Repository } from "../repository/index.ts";
import { planType1Boot } from "./type1-boot.ts";

export interface UpdateBoot {
  /** Of the EROFS images that the new deployment may boot. */
  readonly imageIds: readonly string[];
  /** Paths below the boot directory, in the order of writing. */
  readonly files: readonly EspFile[];
  readonly entry: NamedEntry;
  readonly record: DeploymentRecord;
}

export interface UpdateBootRequest {
  readonly places: HostPlaces;
  readonly bootDirectory: string;
  readonly repository: Repository;
  readonly booted: HostDeployment;
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
 *   verifyBootProgram; `untrusted` for an image that is not sealed on a host that boots from a UKI
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
  const { places, reporter } = request;
  const { deploymentId, files, architecture } = staged;
  const boot = findSealedContents(files, architecture, []);
  checkDeployment(boot, request, reporter.warn);
  if (boot.rootUuid !== undefined) checkRoot(boot.rootUuid, places);
  await checkSignature(boot.ukiBytes, `the UKI ${boot.ukiPath}`, request);
  const os = osIdentity(parseOsRelease(boot.osRelease));
  const key = ukiKeyOfLoader(request.loaderInfo);
  return {
    imageIds: boot.composefsArguments.map(({ id }) => id),
    files: [{ path: ukiPath(deploymentId).slice(1), bytes: boot.ukiBytes }],
    entry: {
      fileName: entryFileName(os, deploymentId, "primary"),
      entry: ukiEntry(os, deploymentId, "primary", key),
    },
    record: recordOfUki(staged, request.imageReference, boot.uki),
  };
}

async function unsealedBoot(staged: Type1Deployment, request: UpdateBootRequest): Promise<UpdateBoot> {
  const { booted, bootDirectory, places, reporter, repository } = request;
  const { deploymentId } = staged;
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
  await checkSignature(contents.files.kernel, `the kernel ${staged.kernel.kernelPath}`, request);
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
    entry,
    record: recordOfType1(staged, request.imageReference, contents.files),
  };
}

async function checkSignature(
  bytes: Uint8Array,
  what: string,
  { firmware, reporter }: Pick<UpdateBootRequest, "firmware" | "reporter">,
): Promise<void> {
  if (firmware !== undefined) await verifyBootProgram(bytes, what, [firmware]);
  else if (isSigned(bytes)) await verifyBootProgram(bytes, what, []);
  else reporter.warn(`Firmware with Secure Boot will refuse ${what}: it is not signed`);
}

/** A UKI that looks for another disk would not find this one. */
function checkRoot(uuid: string, { physicalRoot }: HostPlaces): void {
  const path = `/dev/disk/by-uuid/${uuid}`;
  const device = statSync(path, { throwIfNoEntry: false })?.rdev;
  if (device === statSync(physicalRoot).dev) return;
  throw new SealrootError(
    "conflict",
    `Cannot use the image: it looks for its root on another disk (root=UUID=${uuid})`,
    {
      path,
      hint: "seal the image without --root-uuid, or with that of this host",
    },
  );
}
