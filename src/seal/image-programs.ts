/** The programs of a sealed image that firmware starts, and that must be signed: boot loader, UKI, add-ons. */
import { attachedLoaderPath, findLoader, listAddons } from "../bootimage/index.ts";
import type { EfiArchitecture } from "../pe/index.ts";
import type { ImageFiles } from "../tree/index.ts";

export interface ImageProgram {
  readonly kind: "loader" | "uki" | "addon";
  /** A file name of its own among the image's programs. */
  readonly name: string;
  /** Where the image has it once it is signed, outside the sealed digest. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** How it is called in messages. */
export function programText({ kind, path }: Pick<ImageProgram, "kind" | "path">): string {
  return kind === "loader" ? "the boot loader" : kind === "uki" ? "the UKI" : `the add-on ${path}`;
}

/**
 * The programs of an image, signed or not.
 * @param uki path and content of the image's UKI
 */
export async function imagePrograms(
  files: ImageFiles,
  architecture: EfiArchitecture,
  uki: { readonly path: string; readonly bytes: Uint8Array },
): Promise<ImageProgram[]> {
  const loader = findLoader(files, architecture);
  const addons = listAddons(files, uki.path);
  const programs: ImageProgram[] = [];
  if (loader !== undefined) {
    const path = attachedLoaderPath(architecture);
    programs.push({ kind: "loader", name: nameOf(path), path, bytes: await files.read(loader) });
  }
  programs.push({ kind: "uki", name: nameOf(uki.path), ...uki });
  for (const { scope, path } of addons) {
    const name = scope === "global" ? `global.${nameOf(path)}` : nameOf(path);
    programs.push({ kind: "addon", name, path, bytes: await files.read(path) });
  }
  return programs;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
