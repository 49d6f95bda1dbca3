/** Which add-ons a new deployment gets: those that are named, and those that the host has had so far. */
import { type AddonNames, type AddonScope, type ImageAddon, NO_ADDONS } from "../bootimage/index.ts";
import { installedAddons } from "../bootloader/index.ts";
import type { Host } from "../host/index.ts";

export interface WantedAddons {
  readonly names: AddonNames;
  /** What the host has, or has asked for, and the new image has not. */
  readonly lacking: readonly LackingAddon[];
  /** Global ones on the ESP that the update does not touch: paths below it. */
  readonly staying: readonly string[];
}

export interface LackingAddon {
  readonly name: string;
  readonly scope: AddonScope;
  /** False for a global one that was to come with the update that this one replaces. */
  readonly isInstalled: boolean;
}

/**
 * As bootc, an add-on goes along by its name (bootc#2448): the new image's replaces it. Those of the booted deployment count,
 * and of the one that is staged, so that an upgrade goes on after another; the global ones too that come with the latter.
 *
 * @param available what the new image has
 * @param given names that the new deployment must get
 */
export function wantedAddons(
  esp: string,
  { booted, staged }: Pick<Host, "booted" | "staged">,
  available: readonly ImageAddon[],
  given: AddonNames = NO_ADDONS,
): WantedAddons {
  const { addons, foreign } = installedAddons(esp);
  const owners = [booted, staged].flatMap((deployment) => deployment?.deploymentId ?? []);
  const had: LackingAddon[] = addons
    .filter(
      ({ scope, deploymentId }) => scope === "global" || (deploymentId !== undefined && owners.includes(deploymentId)),
    )
    .map(({ name, scope }) => ({ name, scope, isInstalled: true }));
  const coming = (staged?.globalAddons ?? []).filter(
    (name) => !had.some((one) => one.scope === "global" && one.name === name),
  );
  had.push(...coming.map((name) => ({ name, scope: "global" as const, isInstalled: false })));
  const has = ({ name, scope }: LackingAddon) => available.some((one) => one.scope === scope && one.name === name);
  const named = (scope: AddonScope) => [
    ...new Set([
      ...given[scope],
      ...had
        .filter((one) => one.scope === scope && has(one))
        .map(({ name }) => name)
        .sort(),
    ]),
  ];
  const lacking = new Map(
    had
      .filter((one) => !has(one) && !given[one.scope].includes(one.name))
      .map((one) => [`${one.scope} ${one.name}`, one]),
  );
  const names = { scoped: named("scoped"), global: named("global") };
  const staying = addons.filter(({ name, scope }) => scope === "global" && !names.global.includes(name));
  return { names, lacking: [...lacking.values()], staying: [...foreign, ...staying.map(({ path }) => path)] };
}

/** What becomes of an add-on that the new image has not. */
export function lackingText({ name, scope, isInstalled }: LackingAddon): string {
  if (!isInstalled) return `The new image has no global add-on ${name}: it does not come with this update`;
  return scope === "global"
    ? `The new image has no global add-on ${name}: it stays as it is, for every deployment`
    : `The new image has no add-on ${name}: the new deployment boots without it`;
}
