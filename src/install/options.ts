/** What an installation is asked to do, and which of bootc's options have no meaning here. */
import type { EnrolmentMode } from "../bootloader/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";

export interface InstallToDiskOptions {
  /** Plain file to make, or block device to write. */
  readonly target: string;
  /** Skopeo-style reference of the image. */
  readonly source: string;
  /** How to talk to the source's registry. */
  readonly registry?: RegistryOptions | undefined;
  /** Size of a new disk file; that of the file being replaced if absent. */
  readonly sizeBytes?: number;
  /** Size of the root partition; the rest of the disk if absent. */
  readonly rootSizeBytes?: number;
  /** Size of the ESP; 1024 MiB if absent. */
  readonly espSizeBytes?: number;
  /** Replace an existing file, or destroy what is on a device. */
  readonly wipe: boolean;
  /** Where the host updates from; the source if absent. */
  readonly targetName?: string;
  /** Transport of `targetName`, such as `registry`. */
  readonly targetTransport: string;
  /** Add-ons of the image that go beside its UKI. */
  readonly addonNames: readonly string[];
  /** Add-ons of the image that every UKI of the ESP gets, also of later images. */
  readonly globalAddonNames?: readonly string[];
  /**
   * Accept an image whose command line has `composefs=?`, so its disk also boots without fs-verity; of an unsealed one,
   * write its boot entry so.
   */
  readonly allowMissingVerity?: boolean;
  /** Accept an image that is not sealed, and what may be chosen for its boot entry then; refused if absent. */
  readonly unsealed?: UnsealedChoices | undefined;
  /** When the image's keys are enrolled in the firmware; `if-safe` if absent. */
  readonly enrolment?: EnrolmentMode | undefined;
  /** Encrypt the root for the machine's TPM; not encrypted if absent. */
  readonly encryption?: EncryptionChoice | undefined;
  /** What the user chose instead of the image's configuration. */
  readonly choices?: LayoutChoices;
  /**
   * The disk's time, seconds since 1970. If given, equal inputs make equal disks; if absent, it is the current time and
   * every disk differs.
   */
  readonly sourceDateEpoch?: number;
  /** Where the repository is staged; if absent, beside a target file or in /var/tmp. */
  readonly stagingParent?: string;
  /** Decides whether the image may be installed; the machine's policy if absent. */
  readonly policy?: PolicyChoice;
  readonly events: EventSink;
}

/** How the root is encrypted. */
export interface EncryptionChoice {
  readonly kind: "tpm2";
  /** File to be made that takes the recovery key; it is part of the result if absent. */
  readonly recoveryKeyFile?: string | undefined;
}

/** What the boot entry of an unsealed image gets besides the image's own arguments. */
export interface UnsealedChoices {
  readonly kernelArguments: readonly string[];
  /** `key=value` for one argument, `key` for all with it. */
  readonly removedKernelArguments: readonly string[];
  readonly disableSelinux: boolean;
}

/** Undefined if the user said nothing. */
export interface LayoutChoices {
  readonly filesystem: string | undefined;
  readonly bootloader: string | undefined;
  readonly blockSetup: string | undefined;
}

/** bootc's options that make no sense with a sealed image, an ordinary file or the composefs layout. */
export interface ForeignOptions extends LayoutChoices, UnsealedChoices {
  /** The image may be one that is not sealed, whose boot entry can have arguments. */
  readonly allowUnsealed: boolean;
  readonly stateroot: string | undefined;
  readonly rootSshAuthorizedKeys: string | undefined;
  readonly boundImages: string | undefined;
  readonly unifiedStorage: boolean;
  readonly fetchCheck: boolean;
}

/**
 * Refuses what cannot be honoured, instead of ignoring it (spec/host.md weakness 32).
 *
 * @throws SealrootError `unsupported` naming the option and the reason
 */
export function refuseForeignOptions(options: ForeignOptions): void {
  if (!options.allowUnsealed) refuseArguments(options);
  if (options.rootSshAuthorizedKeys !== undefined) {
    throw refused("--root-ssh-authorized-keys", "Cannot add SSH keys: the disk gets what is in the image", {
      hint: "put a file into the image's /usr/lib/tmpfiles.d, or pass the credential ssh.authorized_keys.root",
    });
  }
  if (options.boundImages !== undefined && options.boundImages !== "skip") {
    throw refused("--bound-images", `Cannot include bound images (${options.boundImages}): podman pulls them`, {
      hint: "give --bound-images skip",
    });
  }
  if (options.unifiedStorage) {
    throw refused("--experimental-unified-storage", "Cannot pull into podman's store first: there is one store here", {
      hint: "leave out --experimental-unified-storage",
    });
  }
  if (options.fetchCheck) {
    throw refused(
      "--run-fetch-check",
      "Cannot check that the host can fetch updates: it has other logins and networks",
      {
        hint: "leave out --run-fetch-check",
      },
    );
  }
  if (options.filesystem === "xfs") {
    throw refused("--filesystem", "Cannot install to xfs: Specified filesystem xfs does not support fs-verity", {
      hint: "use --filesystem ext4",
    });
  }
  if (options.filesystem !== undefined && options.filesystem !== "ext4") {
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
        hint: "leave out --bootloader",
      },
    );
  }
  if (options.blockSetup !== undefined && options.blockSetup !== "direct") {
    throw refused("--block-setup", `Cannot set up ${options.blockSetup}: it binds the disk to the installing machine`, {
      hint: "give --encrypt tpm2, which binds it to the machine that first boots it",
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

function refuseArguments({ kernelArguments, removedKernelArguments, disableSelinux }: UnsealedChoices): void {
  if (kernelArguments.length > 0) {
    throw refused("--karg", "Cannot use externally specified kernel arguments with UKI", {
      hint: "give the argument to sealroot seal, or sign an add-on and name it with --uki-addon",
    });
  }
  if (removedKernelArguments.length > 0) {
    throw refused("--karg-delete", "Cannot remove a kernel argument: the command line of a UKI is sealed", {
      hint: "seal the image without it",
    });
  }
  if (disableSelinux) {
    throw refused("--disable-selinux", "Cannot add selinux=0: the kernel command line of a UKI is sealed", {
      hint: "seal the image with --karg selinux=0",
    });
  }
}

function refused(path: string, message: string, data: { hint?: string }): SealrootError {
  return new SealrootError("unsupported", message, { path, ...data });
}
