/** What a new ESP holds: a boot loader and the deployment that it offers. */
import type { EspFile } from "../disk/index.ts";
import { entryFiles, type KernelDeployment, kernelEntryFiles, type UkiDeployment } from "./boot-entries.ts";
import type { BootLoader } from "./boot-loader.ts";

export interface EspLayout {
  /** In the order of writing. */
  readonly files: readonly EspFile[];
  readonly directories: readonly string[];
}

/**
 * The files of a new ESP. No random seed: a disk image must not hold one (spec/host-install.md, `--generic-image`).
 */
export function espLayout(loader: BootLoader, deployment: UkiDeployment | KernelDeployment): EspLayout {
  const { boot, entry, addons } = deploymentFiles(loader, deployment);
  return {
    files: [...loader.programs, ...boot, entry, ...loader.settings, ...loader.keys, ...addons],
    directories: loader.directories,
  };
}

function deploymentFiles(loader: BootLoader, deployment: UkiDeployment | KernelDeployment) {
  if ("kernel" in deployment) {
    const { kernel, entry } = kernelEntryFiles(deployment, "primary");
    return { boot: kernel, entry, addons: [] };
  }
  const { uki, entry, addons } = entryFiles(deployment, "primary", loader);
  return { boot: [uki], entry, addons };
}
