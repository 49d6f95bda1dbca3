/** What the kernel command line and the image's configuration ask for (spec/host-boot.md 4 and 5). */
import { CommandLine } from "../bls/command-line.ts";
import { type ComposefsArgument, findComposefsArgument } from "../bls/composefs-argument.ts";
import { SealrootError } from "../errors/index.ts";
import { parseRootConfiguration, type StateMount } from "./configuration.ts";
import { parseRootArgument, type RootSource } from "./root-device.ts";

/** Everything that is decided before the disk is looked at. */
export interface BootPlan {
  readonly image: ComposefsArgument;
  /** Where the physical root is; an initramfs that mounts it by itself does not ask. */
  readonly root: RootSource;
  /** `rootflags=`: mount options of the physical root. */
  readonly rootOptions: string | undefined;
  readonly transientRoot: boolean;
  readonly etc: StateMount;
  readonly var: StateMount;
}

/**
 * Plans a boot.
 *
 * @param commandLine the text of /proc/cmdline
 * @param configuration the text of setup-root-conf.toml, or undefined when the image has none
 * @throws SealrootError when the command line names no image, or more than one; when it names several roots; when the
 *   configuration is wrong
 */
export function planBoot(commandLine: string, configuration: string | undefined): BootPlan {
  const line = CommandLine.parse(commandLine);
  const image = findComposefsArgument(line);
  if (image === undefined) {
    throw new SealrootError("untrusted", "Cannot choose the root image: no composefs= on the kernel command line", {
      expected: "composefs=DIGEST in the sealed command line",
      actual: line.toString(),
    });
  }
  const wanted = parseRootConfiguration(configuration);
  return {
    image,
    root: parseRootArgument(line),
    rootOptions: line.get("rootflags"),
    transientRoot: wanted.transientRoot,
    etc: wanted.etc,
    var: !wanted.varIsExplicit && isVolatile(line) ? "none" : wanted.var,
  };
}

/** systemd itself puts a tmpfs on /var then (kernel-command-line(7), systemd.volatile=). */
function isVolatile(line: CommandLine): boolean {
  const value = line.get("systemd.volatile");
  return value === "state" || value === "overlay";
}
