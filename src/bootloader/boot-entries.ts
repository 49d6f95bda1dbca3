/** The files by which a boot loader offers a deployment: its UKI, the entry that names it, its add-ons (spec/host.md 1.4). */
import {
  type EntryRank,
  entryFileName,
  formatBootEntry,
  osIdentity,
  parseOsRelease,
  ukiEntry,
  ukiPath,
} from "../bls/index.ts";
import type { UkiAddon } from "../bootimage/index.ts";
import type { EspFile } from "../disk/index.ts";
import type { BootLoader } from "./boot-loader.ts";

/** A deployment that boots from a UKI. */
export interface UkiDeployment {
  readonly deploymentId: string;
  readonly uki: Uint8Array;
  /** Content of the UKI's `.osrel` section. */
  readonly osRelease: string;
  readonly addons: readonly UkiAddon[];
}

/** An entry names the UKI, so it is written after it. */
export interface EntryFiles {
  readonly uki: EspFile;
  readonly entry: EspFile;
  /** systemd-stub takes them from the folder beside the UKI (systemd-stub(7)). */
  readonly addons: readonly EspFile[];
}

/** @param rank the entry that boots by default, or the one to fall back to */
export function entryFiles(
  deployment: UkiDeployment,
  rank: EntryRank,
  { ukiKey }: Pick<BootLoader, "ukiKey">,
): EntryFiles {
  const { deploymentId } = deployment;
  const os = osIdentity(parseOsRelease(deployment.osRelease));
  const text = formatBootEntry(ukiEntry(os, deploymentId, rank, ukiKey));
  const path = ukiPath(deploymentId).slice(1);
  return {
    uki: { path, bytes: deployment.uki },
    entry: { path: `loader/entries/${entryFileName(os, deploymentId, rank)}`, bytes: Buffer.from(text, "utf8") },
    addons: deployment.addons.map(({ name, bytes }) => ({ path: `${path}.extra.d/${name}.addon.efi`, bytes })),
  };
}
