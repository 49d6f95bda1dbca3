/** What an installation is asked to do, and which of bootc's options have no meaning for a sealed image. */
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import type { PolicyChoice, RegistryOptions } from "../oci/index.ts";

export interface InstallToDiskOptions {
  /** Plain file to make, or block device to write. */
  readonly target: string;
  /** Skopeo-style reference of a sealed image. */
  readonly source: string;
  /** How to talk to the source's registry. */
  readonly registry?: RegistryOptions | undefined;
  /** Size of a new disk file; that of the file being replaced when absent. */
  readonly sizeBytes?: number;
  /** Size of the root partition; the rest of the disk when absent. */
  readonly rootSizeBytes?: number;
  /** Size of the ESP; 1024 MiB when absent. */
  readonly espSizeBytes?: number;
  /** Replace an existing file, destroy what is on a device. */
  readonly wipe: boolean;
  /** Where the host updates from; the source when absent. */
  readonly targetName?: string;
  /** Transport of `targetName`, such as `registry`. */
  readonly targetTransport: string;
  readonly addonNames: readonly string[];
  /** The disk's time, seconds since 1970. Given, equal inputs make equal disks; absent, it is now and no disk is like another. */
  readonly sourceDateEpoch?: number;
  /** Where the repository is staged; beside a target file, or in /var/tmp, when absent. */
  readonly stagingParent?: string;
  /** What decides whether the image may be installed; the machine's policy when absent. */
  readonly policy?: PolicyChoice;
  readonly events: EventSink;
}

/** Options that bootc has and that a sealed image, an ordinary file or the composefs layout leave no room for. */
export interface ForeignOptions {
  readonly kernelArguments: readonly string[];
  readonly filesystem: string;
  readonly bootloader: string | undefined;
  readonly blockSetup: string | undefined;
  readonly stateroot: string | undefined;
  readonly disableSelinux: boolean;
}

/**
 * Refuses what cannot be honoured, instead of ignoring it (spec/host.md weakness 32).
 *
 * @throws SealrootError `unsupported` naming the option and the reason
 */
export function refuseForeignOptions(options: ForeignOptions): void {
  if (options.kernelArguments.length > 0) {
    throw refused("--karg", "Cannot use externally specified kernel arguments with UKI", {
      hint: "give the argument to sealroot seal, or sign an add-on and name it with --uki-addon",
    });
  }
  if (options.disableSelinux) {
    throw refused("--disable-selinux", "Cannot add selinux=0: the kernel command line of a UKI is sealed", {
      hint: "seal the image with --karg selinux=0",
    });
  }
  if (options.filesystem === "xfs") {
    throw refused("--filesystem", "Cannot install to xfs: Specified filesystem xfs does not support fs-verity", {
      hint: "use --filesystem ext4",
    });
  }
  if (options.filesystem !== "ext4") {
    throw refused(
      "--filesystem",
      `Cannot install to ${options.filesystem}: only ext4 can be made without mounting it`,
      {
        hint: "use --filesystem ext4",
      },
    );
  }
  if (options.bootloader !== undefined && options.bootloader !== "systemd") {
    throw refused(
      "--bootloader",
      `Cannot install the boot loader ${options.bootloader}: only systemd starts sealed images`,
      {
        hint: "leave --bootloader out",
      },
    );
  }
  if (options.blockSetup !== undefined && options.blockSetup !== "direct") {
    throw refused("--block-setup", `Cannot set up ${options.blockSetup}: encryption needs a TPM and a block device`, {
      hint: "leave --block-setup out",
    });
  }
  if (options.stateroot !== undefined && options.stateroot !== "default") {
    throw refused(
      "--stateroot",
      `Cannot use the stateroot ${options.stateroot}: composefs systems have one, "default"`,
      {},
    );
  }
}

function refused(path: string, message: string, data: { hint?: string }): SealrootError {
  return new SealrootError("unsupported", message, { path, ...data });
}
