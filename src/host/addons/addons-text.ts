/** Add-ons in words and as JSON, as bootc 1.17 has them (uki_addon.rs, uki_addons_cli.rs). */
import type { AddedAddon } from "./add-addons.ts";
import type { NamedAddon, ReferencedAddons } from "./list-addons.ts";
import type { RemovedAddon } from "./remove-addon.ts";

/** bootc's keys. */
export interface AddonJson {
  readonly name: string;
  readonly addon_type: { readonly type: "scoped"; readonly depl_id: string } | { readonly type: "global" };
}

export function addonText({ name, scope, deploymentId }: NamedAddon): string {
  return `${name} (${scope === "global" ? "global" : `scoped (deployment ${deploymentId})`})`;
}

export function addonJson({ name, scope, deploymentId = "" }: NamedAddon): AddonJson {
  return { name, addon_type: scope === "global" ? { type: "global" } : { type: "scoped", depl_id: deploymentId } };
}

/** Lines without line ends. */
export function addonListLines(addons: readonly NamedAddon[]): string[] {
  return addons.length === 0 ? ["No UKI addons installed"] : addons.map(addonText);
}

export function referencedAddonLines({ deployments }: ReferencedAddons): string[] {
  return deployments.flatMap(({ deploymentId, addons }) => [
    `Deployment ${deploymentId}:`,
    ...addons.map((addon) => `  ${addonText(addon)}`),
  ]);
}

/** Pairs of a deployment's id and its add-ons, as bootc has them. */
export function referencedAddonsJson({ deployments }: ReferencedAddons): [string, AddonJson[]][] {
  return deployments.map(({ deploymentId, addons }) => [deploymentId, addons.map(addonJson)]);
}

const RESULT = { added: "Added", replaced: "Replaced" } as const;

/** What is said of one that was added, and when it counts. */
export function addedAddonLines({ name, scope, deploymentId, result }: AddedAddon): string[] {
  if (result === "present") return [`Addon ${name} is already present. Nothing to do.`];
  const text = addonText({ name, scope, deploymentId: deploymentId ?? undefined });
  const whose = scope === "global" ? " of any deployment" : "";
  return [`${RESULT[result]} addon ${text}`, `It takes effect at the next boot${whose}`];
}

export function removedAddonLines({ name, deploymentId, removedDirectory }: RemovedAddon): string[] {
  return [
    deploymentId === null ? `Removed Global Addon ${name}` : `Removed addon ${name}`,
    ...(removedDirectory === null ? [] : [`Removed empty directory ${removedDirectory}`]),
  ];
}
