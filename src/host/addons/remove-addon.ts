/** Removing an add-on from the ESP. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandLine, composefsWords } from "../../bls/index.ts";
import { addonLines, type InstalledAddon, installedAddons, removeFromEsp } from "../../bootloader/index.ts";
import { readStagedRecord, writeStagedRecord } from "../../deployment/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { idPrefixOf, onlyCandidate } from "../../repository/index.ts";
import { type HostPlaces, requireEsp } from "../host-places.ts";

export interface RemovedAddon {
  readonly name: string;
  /** Whose it was; null of a global one. */
  readonly deploymentId: string | null;
  /** The folder that nothing was left in, below the ESP; null when it stays. */
  readonly removedDirectory: string | null;
}

/**
 * Removes a global add-on or, with a deployment, one of its own. It takes effect at the next boot.
 *
 * @param deployment an id or its first digits, also of a deployment that is gone and has left its add-ons
 * @throws SealrootError `not-found`; `conflict` for one that names an image: without it nothing might boot any more; `usage`
 *   when several ids begin like that
 */
export function removeAddon(places: HostPlaces, name: string, deployment?: string): RemovedAddon {
  const esp = requireEsp(places, "remove an add-on");
  const { addons } = installedAddons(esp);
  const named = addons.filter((addon) => addon.name === name);
  const deploymentId = deployment === undefined ? undefined : ownerOf(addons, deployment);
  const addon = named.find((one) => one.deploymentId === deploymentId);
  if (addon === undefined) throw notFound(name, deployment, named);
  refuseNaming(esp, addon);
  // What is staged would bring it again.
  if (addon.scope === "global") forgetStaged(places, name);
  removeFromEsp(esp, addon.path);
  return {
    ...{ name, deploymentId: addon.deploymentId ?? null },
    removedDirectory: removeIfEmpty(esp, dirname(addon.path)),
  };
}

function ownerOf(addons: readonly InstalledAddon[], text: string): string {
  const ids = [...new Set(addons.flatMap(({ deploymentId }) => deploymentId ?? []))];
  if (ids.includes(text)) return text;
  const prefix = idPrefixOf(text, ["sha256", "sha512"]);
  const candidates = prefix === undefined ? [] : ids.filter((id) => id.startsWith(prefix));
  return (
    onlyCandidate(
      text,
      candidates.map((shown) => ({ shown })),
    )?.shown ?? text
  );
}

function notFound(name: string, deployment: string | undefined, named: readonly InstalledAddon[]): SealrootError {
  const what =
    deployment === undefined
      ? `No Global addon found with the name ${name}`
      : `No addon found with the name ${name} for deployment ${deployment}`;
  const owners = named.map(({ deploymentId }) => deploymentId);
  const hint =
    owners.length === 0
      ? "sealroot uki-addon list shows the add-ons there are"
      : deployment === undefined
        ? `name the deployment whose it is: ${owners.join(", ")}`
        : `it is ${owners.map((id) => (id === undefined ? "a global one" : `one of ${id}`)).join(", ")}`;
  return new SealrootError("not-found", what, { hint });
}

function refuseNaming(esp: string, { name, path }: InstalledAddon): void {
  const words = composefsWords(CommandLine.parse(addonLines(esp, [path]).join(" ")));
  if (words.length === 0) return;
  throw new SealrootError("conflict", `Cannot remove the add-on ${name}: it names the image that boots`, {
    path,
    actual: words.join(" "),
    hint: "it goes with its deployment",
  });
}

function forgetStaged({ runDirectory }: HostPlaces, name: string): void {
  const record = readStagedRecord(runDirectory);
  if (record === undefined || !record.globalAddons.includes(name)) return;
  writeStagedRecord(runDirectory, { ...record, globalAddons: record.globalAddons.filter((other) => other !== name) });
}

function removeIfEmpty(esp: string, folder: string): string | null {
  try {
    if (readdirSync(join(esp, folder)).length > 0) return null;
  } catch (error) {
    throw asSealrootError(error, `Cannot list ${folder}`, { path: join(esp, folder) });
  }
  removeFromEsp(esp, folder);
  return folder;
}
