/** Add-ons of UKIs, in images and on an ESP, as far as anything looks at them without starting them. */
import { join } from "node:path";
import { signPe } from "../../src/pe/index.ts";
import { peImage } from "../bootloader/pe-fixture.ts";
import { type ImageFile, TEST_KEYS } from "../install/sealed-image.ts";

/** Signed by the key of all images of these tests, unless another one is given. */
export function addon(commandLine: string, signer = TEST_KEYS.signer, architecture: "x64" | "aa64" = "x64") {
  return signPe(peImage({ ".text": "addon", ".cmdline": commandLine }, architecture), signer);
}

export interface ImageAddons {
  readonly scoped?: Readonly<Record<string, Uint8Array>>;
  readonly global?: Readonly<Record<string, Uint8Array>>;
}

/** Where a sealed image has them; for `beside` of an image. */
export function inImage({ scoped = {}, global = {} }: ImageAddons): ImageFile[] {
  const own = "boot/EFI/Linux/6.12.efi.extra.d";
  const files = (folder: string, addons: Readonly<Record<string, Uint8Array>>) =>
    Object.entries(addons).map(([name, content]) => ({ path: `${folder}/${name}.addon.efi`, content }));
  return [
    { path: own },
    ...files(own, scoped),
    { path: "boot/loader" },
    { path: "boot/loader/addons" },
    ...files("boot/loader/addons", global),
  ];
}

export const scopedPath = (deploymentId: string, name: string) =>
  `EFI/Linux/bootc/bootc_composefs-${deploymentId}.efi.extra.d/${name}.addon.efi`;
export const globalPath = (name: string) => join("loader/addons", `bootc_composefs-${name}.addon.efi`);
