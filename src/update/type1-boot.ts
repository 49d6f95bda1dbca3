/** What an update writes for a deployment without seal: kernel and initramfs, unless the host has them, and the boot entry. */

import { join } from "node:path";
import {
  argumentChange,
  type BootEntry,
  CommandLine,
  checkCommandLineLength,
  type EntryImage,
  entryFileName,
  INITRAMFS_FILE,
  KERNEL_FILE,
  kernelEntry,
  kernelFolderName,
  type NamedEntry,
  nextOptions,
  optionsOfSources,
  osIdentity,
  parseOsRelease,
  startedLine,
} from "../bls/index.ts";
import type { Type1Contents } from "../bootimage/index.ts";
import { findKernelFolder } from "../bootloader/index.ts";
import type { EspFile } from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { BootLoaderName } from "../host/index.ts";

export interface Type1BootRequest {
  readonly image: EntryImage;
  readonly contents: Type1Contents;
  /** The entry that the host booted, and with it everything that was changed on this machine. */
  readonly bootedEntry: BootEntry;
  /** From the `kargs.d` of the booted image. */
  readonly bootedArguments: readonly string[];
}

/** What is written, in this order, before the entry is staged. */
export interface Type1Boot {
  /** Paths below the boot directory; none when another deployment has the same files. */
  readonly files: readonly EspFile[];
  readonly entry: NamedEntry;
}

/**
 * Plans the boot of a deployment that a Type 1 entry starts.
 *
 * The command line is that of the booted entry, with the other image and with what changed in the images' `kargs.d`; what
 * was changed on this machine stays, and so do the entry's further fields (spec/host-lifecycle.md 4.2 and 6).
 *
 * @throws SealrootError `unsupported` when the host did not boot a Type 1 entry, or for a line that the kernel would cut
 *   off; as findKernelFolder
 */
export function planType1Boot(
  { bootDirectory, bootLoader }: { readonly bootDirectory: string; readonly bootLoader: BootLoaderName },
  { image, contents, bootedEntry, bootedArguments }: Type1BootRequest,
): Type1Boot {
  const { target } = bootedEntry;
  if (target.type !== "linux") throw bootsFromUki();
  const options = nextOptions(
    CommandLine.parse(bootedEntry.options ?? ""),
    image,
    argumentChange(bootedArguments, contents.kernelArguments),
    [...optionsOfSources(bootedEntry).values()],
  ).toString();
  // Absolute in the file system of the entry: for GRUB that is not always the boot directory.
  const named = target.linux.split("/").slice(0, -2).join("/");
  const below = bootLoader === "grub" ? "" : named.replace(/^\/+/, "");
  const shared = findKernelFolder(join(bootDirectory, below), contents.files);
  const folder = shared ?? kernelFolderName(image.id);
  const place = (name: string) => (below === "" ? `${folder}/${name}` : `${below}/${folder}/${name}`);
  const started = startedLine(options, `${named}/${folder}/${INITRAMFS_FILE}`);
  checkCommandLineLength(started, contents.architecture.efi, "the kernel command line of the new boot entry");
  const os = osIdentity(parseOsRelease(contents.osRelease));
  const entry = kernelEntry(os, image.id, "primary", { folder: `${named}/${folder}`, options });
  const { machineId, otherFields } = bootedEntry;
  return {
    files:
      shared === undefined
        ? [
            { path: place(KERNEL_FILE), bytes: contents.files.kernel },
            { path: place(INITRAMFS_FILE), bytes: contents.files.initramfs },
          ]
        : [],
    entry: { fileName: entryFileName(os, image.id, "primary"), entry: { ...entry, machineId, otherFields } },
  };
}

function bootsFromUki(): SealrootError {
  const what = "Cannot use the image: it is not sealed, and this host boots from a UKI";
  return new SealrootError("untrusted", what, { hint: "seal it: sealroot seal IMAGE -o IMAGE --keys DIR" });
}
