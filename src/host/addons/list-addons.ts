/** Which add-ons the ESP has, and which the images of the deployments have. */
import { join } from "node:path";
import { type AddonScope, findUkis, listAddons } from "../../bootimage/index.ts";
import { type InstalledAddons, installedAddons } from "../../bootloader/index.ts";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import { asSealrootError } from "../../errors/index.ts";
import { openRepository } from "../../repository/index.ts";
import type { Host, HostDeployment, HostProblem } from "../host.ts";
import { type HostPlaces, requireEsp } from "../host-places.ts";
import { imageFilesOf } from "./image-files.ts";

/** An add-on by its name, and whose it is. */
export interface NamedAddon {
  readonly name: string;
  readonly scope: AddonScope;
  readonly deploymentId: string | undefined;
}

/** The add-ons on the ESP. @throws SealrootError when they cannot be listed */
export function addonsOfHost(places: HostPlaces): InstalledAddons {
  return installedAddons(requireEsp(places, "list add-ons"));
}

export interface ReferencedAddons {
  /** In the order of status. */
  readonly deployments: readonly { readonly deploymentId: string; readonly addons: readonly NamedAddon[] }[];
  readonly problems: readonly HostProblem[];
}

/**
 * The add-ons that the images of the deployments hold, installed or not.
 * @throws SealrootError as openRepository; an image that cannot be read is a problem of the outcome
 */
export async function referencedAddons(
  { physicalRoot }: HostPlaces,
  { staged, booted, rollback, others }: Host,
): Promise<ReferencedAddons> {
  using repository = await openRepository(join(physicalRoot, REPOSITORY_PATH), { upgrade: false });
  const deployments: { deploymentId: string; addons: NamedAddon[] }[] = [];
  const problems: HostProblem[] = [];
  for (const deployment of [staged, booted, rollback, ...others]) {
    if (deployment === undefined) continue;
    const { deploymentId, origin } = deployment;
    try {
      const image = await imageFilesOf(repository, origin.manifestDigest);
      const [ukiPath] = findUkis(image);
      const found = ukiPath === undefined ? [] : listAddons(image, ukiPath);
      deployments.push({ deploymentId, addons: found.map((addon) => namedAddon(addon, deployment)) });
    } catch (error) {
      problems.push({ subject: deploymentId, error: asSealrootError(error, "Cannot read its image") });
    }
  }
  return { deployments, problems };
}

function namedAddon(
  { name, scope }: { readonly name: string; readonly scope: AddonScope },
  { deploymentId }: HostDeployment,
): NamedAddon {
  return { name, scope, deploymentId: scope === "global" ? undefined : deploymentId };
}
