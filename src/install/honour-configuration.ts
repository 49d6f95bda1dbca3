/** The installation configuration of an image, honoured or refused by the name of its key (docs/install.md). */
import { CommandLine } from "../bls/index.ts";
import { SealrootError } from "../errors/index.ts";
import { loadPolicy, type PolicyChoice } from "../policy/index.ts";
import type {
  ConfigurationKey,
  ConfigurationValue,
  InstallConfiguration,
  LoadedConfiguration,
} from "./configuration.ts";
import type { LayoutChoices } from "./options.ts";

/** What the configuration is compared with. */
export interface InstallationFacts {
  /** What the user chose, which wins if bootc has an option for it. */
  readonly choices: LayoutChoices;
  /** The policy that the image was checked against. */
  readonly policy: PolicyChoice;
  /**
   * The sealed command line of the image's UKI, which cannot be extended; undefined for an unsealed image, whose
   * arguments are in its boot entry by now.
   */
  readonly commandLine: string | undefined;
  /** Whether the root is encrypted for a TPM. */
  readonly isEncrypted: boolean;
}

type Rule<K extends ConfigurationKey> = (
  value: ConfigurationValue<K>,
  facts: InstallationFacts,
) => SealrootError | undefined | Promise<SealrootError | undefined>;

/** One rule for every key; undefined if nothing needs to be done. */
const RULES: { readonly [K in ConfigurationKey]: Rule<K> } = {
  // The other spelling of filesystem.root.type, by now with the same value.
  "root-fs-type": () => undefined,
  filesystem: ({ root }, { choices }) => {
    if (root?.type === undefined || root.type === "ext4" || choices.filesystem !== undefined) return undefined;
    const reason = root.type === "xfs" ? "it has no fs-verity" : "only ext4 can be made without mounting it";
    return refused("filesystem.root.type", `${root.type}, but ${reason}`, "give --filesystem ext4 for this disk");
  },
  block: (setups, { choices, isEncrypted }) => {
    const [first] = setups;
    if (first === undefined) return refused("block", "no way to set up a disk, so none is made");
    // More than is asked for, and the user's own word.
    if (isEncrypted) return undefined;
    const chosen = choices.blockSetup ?? first;
    if (!setups.some((setup) => setup === chosen)) {
      return refused("block", `${setups.join(", ")}, but not ${chosen}`, "change the image's configuration");
    }
    if (chosen === "direct") return undefined;
    const orDirect = setups.includes("direct") ? ", or --block-setup direct" : "";
    return refused("block", `${chosen}, but the disk is not encrypted`, `give --encrypt tpm2 for this disk${orDirect}`);
  },
  kargs: (kargs, { commandLine }) => {
    if (commandLine === undefined) return undefined;
    const sealed = new Set(CommandLine.parse(commandLine).arguments.map(({ text }) => text));
    const wanted = kargs.flatMap((text) => CommandLine.parse(text).arguments);
    const missing = wanted.filter(({ text }) => !sealed.has(text));
    if (missing.length === 0) return undefined;
    const texts = missing.map(({ text }) => text);
    const hint = `seal the image with ${texts.map((text) => `--karg '${text}'`).join(" ")}`;
    return refused("kargs", `${texts.join(" ")}, which the sealed command line does not have`, hint);
  },
  "karg-deletes": (kargs, { commandLine }) => {
    if (commandLine === undefined) return undefined;
    const sealed = CommandLine.parse(commandLine);
    const present = kargs.filter((text) => {
      return text.includes("=") ? sealed.arguments.some((argument) => argument.text === text) : sealed.has(text);
    });
    if (present.length === 0) return undefined;
    return refused("karg-deletes", `${present.join(" ")}, which the sealed command line has`, "seal the image without");
  },
  // Says for each file whether it counts.
  "match-architectures": () => undefined,
  ostree: (table) =>
    table["bls-append-except-default"] === undefined
      ? undefined
      : refused("ostree.bls-append-except-default", "arguments for other boot entries, but a UKI's are sealed"),
  stateroot: (name) =>
    name === "default" ? undefined : refused("stateroot", `${name}, but composefs systems have one, "default"`),
  // How `to-filesystem` names what is mounted there; a new disk is found by its partition types or the sealed root=.
  "root-mount-spec": () => undefined,
  "boot-mount-spec": () => undefined,
  // There is no bootupd, and no UUID of a boot partition is written.
  bootupd: () => undefined,
  bootloader: (name, { choices }) =>
    name === "systemd" || choices.bootloader !== undefined
      ? undefined
      : refused("bootloader", `${name}, but only systemd-boot starts sealed images`, "give --bootloader systemd"),
  "discoverable-partitions": (discoverable, { commandLine }) =>
    discoverable || commandLine === undefined || CommandLine.parse(commandLine).has("root")
      ? undefined
      : refused("discoverable-partitions", "false, but the sealed command line has no root=", "seal with --root-uuid"),
  "enforce-container-sigpolicy": async (enforced, { policy }) => {
    if (!enforced) return undefined;
    if (policy === "accept-anything") {
      return refused("enforce-container-sigpolicy", "true, but no policy was asked", "leave out --insecure-policy");
    }
    await loadPolicy({ ...policy, enforced: true });
    return undefined;
  },
};

/**
 * Compares an image's configuration with what is done. Nothing is ignored: what cannot be honoured is an error.
 *
 * @throws SealrootError `unsupported` naming the key, its value and the way out; `corrupt` for a key that bootc does not
 *   know, or a drop-in that is not a file; as loadPolicy
 */
export async function honourConfiguration(loaded: LoadedConfiguration, facts: InstallationFacts): Promise<void> {
  const [warning] = loaded.warnings;
  if (warning !== undefined) {
    throw new SealrootError("corrupt", `Cannot follow the image's installation configuration: ${warning}`, {
      hint: "remove it from the image; sealroot install print-configuration --root DIR shows what is understood",
    });
  }
  for (const key of Object.keys(RULES) as ConfigurationKey[]) {
    const refusal = await ruleOf(key, loaded.configuration, facts);
    if (refusal !== undefined) throw refusal;
  }
}

function ruleOf<K extends ConfigurationKey>(key: K, configuration: InstallConfiguration, facts: InstallationFacts) {
  // The schema has checked each value against its key.
  const value = configuration[key] as ConfigurationValue<K> | undefined;
  return value === undefined ? undefined : RULES[key](value, facts);
}

function refused(key: string, state: string, hint?: string): SealrootError {
  const what = `Cannot follow the image's installation configuration: install.${key} is ${state}`;
  return new SealrootError("unsupported", what, { path: `install.${key}`, ...(hint === undefined ? {} : { hint }) });
}
