/** What the kernel command line and the image's configuration ask for (spec/host-boot.md 4 and 5). */
import { CommandLine } from "../bls/command-line.ts";
import type { ComposefsArgument } from "../bls/composefs-argument.ts";
import { refuseSecondCredentialsWord } from "./appended-arguments.ts";
import { parseRootConfiguration, type RootConfiguration, type StateMount } from "./configuration.ts";
import { chooseImage, UNSEALED_PERMIT } from "./permit.ts";
import { parseRootArgument, type RootSource } from "./root-device.ts";

/** Everything that is decided before the disk is read. */
export interface BootPlan {
  readonly image: ComposefsArgument;
  /** False for an initramfs that no seal made: the image is as good as the command line that names it. */
  readonly isSealed: boolean;
  /** Where the physical root is; an initramfs that mounts it itself does not ask. */
  readonly root: RootSource;
  /** `rootflags=`: mount options of the physical root. */
  readonly rootOptions: string | undefined;
  readonly transientRoot: boolean;
  readonly etc: StateMount;
  readonly var: StateMount;
  /** Whether every object of the image must be there before the root is made: only a seal has the list of them. */
  readonly checkObjects: boolean;
}

/** The texts that decide a boot. */
export interface BootInputs {
  /** /proc/cmdline. */
  readonly commandLine: string;
  /** setup-root-conf.toml; undefined if the image has none. */
  readonly configuration: string | undefined;
  /** The permit; undefined if the initramfs has none. */
  readonly permit: string | undefined;
}

/**
 * Plans a boot.
 *
 * @throws SealrootError when the command line names no image, more than its two forms, or one that is not permitted;
 *   when it names several roots, or `systemd.import_credentials=` twice; when the configuration is wrong
 */
export function planBoot({ commandLine, configuration, permit }: BootInputs): BootPlan {
  refuseSecondCredentialsWord(commandLine);
  const line = CommandLine.parse(commandLine);
  const image = chooseImage(line, permit);
  const wanted = parseRootConfiguration(configuration);
  const isSealed = permit !== UNSEALED_PERMIT;
  return {
    image,
    isSealed,
    root: parseRootArgument(line),
    rootOptions: line.get("rootflags"),
    transientRoot: wanted.transientRoot,
    ...stateMounts(wanted, line),
    checkObjects: isSealed && wanted.checkObjects,
  };
}

/** How `/etc` and `/var` are mounted, by the configuration and the kernel command line. */
export function stateMounts(
  { etc, var: ofVar, varIsExplicit }: RootConfiguration,
  line: CommandLine,
): { readonly etc: StateMount; readonly var: StateMount } {
  return { etc, var: !varIsExplicit && isVolatile(line) ? "none" : ofVar };
}

/** systemd itself then puts a tmpfs on /var (kernel-command-line(7), systemd.volatile=). */
function isVolatile(line: CommandLine): boolean {
  const value = line.get("systemd.volatile");
  return value === "state" || value === "overlay";
}
