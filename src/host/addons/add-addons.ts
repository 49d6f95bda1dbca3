/** Add-ons of a deployment's own image, put onto the ESP: all of them are checked before anything there changes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ukiPath } from "../../bls/index.ts";
import {
  type AddonNames,
  type AddonScope,
  checkSealedLines,
  findAddons,
  findSealedUki,
} from "../../bootimage/index.ts";
import { addonLines, addonPath, checkEspSpace, installedAddons, writeEspFile } from "../../bootloader/index.ts";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import type { EspFile } from "../../disk/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import { checkFirmwareSignature, type SignatureDatabases } from "../../keys/index.ts";
import { openRepository } from "../../repository/index.ts";
import type { HostDeployment } from "../host.ts";
import { type HostPlaces, requireEsp } from "../host-places.ts";
import { imageFilesOf } from "./image-files.ts";

export interface AddAddonsOptions {
  /** What the firmware lets start; undefined when it lets start anything. */
  readonly firmware: SignatureDatabases | undefined;
  readonly reporter: Pick<StepReporter, "warn">;
}

/** What came of one. */
export interface AddedAddon {
  readonly name: string;
  readonly scope: AddonScope;
  /** Whose UKI loads it; null of a global one. */
  readonly deploymentId: string | null;
  /** `present`: it was there, byte for byte; `replaced`: another one of that name was. */
  readonly result: "added" | "replaced" | "present";
}

export interface PlannedAddon extends AddedAddon {
  readonly file: EspFile;
}

/**
 * Checks add-ons of the image that a deployment was made of: signature, architecture, the whole kernel command line, room
 * on the ESP. Writes nothing.
 *
 * @param deployment one that boots from a UKI
 * @throws SealrootError `unsupported` for a deployment without UKI; as findAddons, checkSealedLines,
 *   checkFirmwareSignature, checkEspSpace
 */
export async function planAddons(
  places: HostPlaces,
  deployment: HostDeployment,
  names: AddonNames,
  { firmware, reporter }: AddAddonsOptions,
): Promise<PlannedAddon[]> {
  const esp = requireEsp(places, "add an add-on");
  const { deploymentId, origin } = deployment;
  const [name] = [...names.scoped, ...names.global];
  if (origin.bootType !== "uki") throw noUki(name ?? "", deploymentId);
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), { upgrade: false });
  const image = await imageFilesOf(repository, origin.manifestDigest);
  const uki = findSealedUki(image);
  const found = findAddons(image, uki.ukiPath, names);
  const place = ukiPathOf(deployment);
  const files = found.map((addon) => ({ path: addonPath(addon, place), bytes: addon.bytes }));
  const { addons, foreign } = installedAddons(esp);
  const others = addons
    .filter((one) => one.scope === "global" || one.deploymentId === deploymentId)
    .map(({ path }) => path)
    .filter((path) => !files.some((file) => file.path === path));
  const lines = addonLines(esp, [...foreign, ...others]);
  checkSealedLines({ path: uki.ukiPath, ...uki.uki }, found, lines);
  for (const addon of found) {
    await checkFirmwareSignature(addon.bytes, `the add-on ${addon.name}`, firmware, reporter);
  }
  const planned = found.map((addon, index): PlannedAddon => {
    const file = files[index] ?? { path: "", bytes: addon.bytes };
    return {
      ...{ name: addon.name, scope: addon.scope, result: resultOf(esp, file), file },
      deploymentId: addon.scope === "global" ? null : deploymentId,
    };
  });
  const sizes = planned.filter(({ result }) => result !== "present").map(({ file }) => file.bytes.length);
  if (sizes.length > 0) checkEspSpace(esp, sizes);
  return planned;
}

/**
 * Adds add-ons to the deployment, each whole or not at all. It takes effect at the next boot; for one that is there
 * already nothing is written.
 *
 * @throws SealrootError as planAddons and writeEspFile
 */
export async function addAddons(
  places: HostPlaces,
  deployment: HostDeployment,
  names: AddonNames,
  options: AddAddonsOptions,
): Promise<AddedAddon[]> {
  const esp = requireEsp(places, "add an add-on");
  const planned = await planAddons(places, deployment, names, options);
  for (const { file, result } of planned) if (result !== "present") writeEspFile(esp, file);
  return planned.map(({ file: _, ...added }) => added);
}

/** The path of a deployment's UKI, from the ESP's root. */
export function ukiPathOf({ deploymentId, entry }: Pick<HostDeployment, "deploymentId" | "entry">): string {
  const target = entry?.entry.target;
  return target?.type === "uki" ? target.path : ukiPath(deploymentId);
}

function resultOf(esp: string, { path, bytes }: EspFile): AddedAddon["result"] {
  try {
    return Buffer.compare(readFileSync(join(esp, path)), bytes) === 0 ? "present" : "replaced";
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return "added";
    throw asSealrootError(error, `Cannot read ${path} on the ESP`, { path: join(esp, path) });
  }
}

function noUki(name: string, deploymentId: string): SealrootError {
  const what = `Cannot add the add-on ${name}: deployment ${deploymentId} has no UKI that would read it`;
  return new SealrootError("unsupported", what, {
    hint: "its command line is in its boot entry: sealroot loader-entries set-options-for-source",
  });
}
