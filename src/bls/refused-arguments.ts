/** The kernel arguments that a sealed command line must not hold, and why. */
import type { KernelArgument } from "./command-line.ts";
import { sameKey } from "./command-line.ts";

/** A group of arguments that are refused for the same reason. */
interface Refusal {
  readonly keys: readonly string[];
  /** Continues `"KEY" …`. */
  readonly reason: string;
  readonly hint: string;
  /** Values that switch the thing off, which is allowed. */
  readonly offValues?: readonly string[];
  /** Only these values are refused. */
  readonly values?: RegExp;
  /** Refused only as a bare word, without a value. */
  readonly isBare?: true;
  /** systemd also accepts the key with a leading `rd.`, for the initramfs alone (kernel-command-line(7)). */
  readonly hasInitrdForm?: true;
}

const SEALED = {
  reason: "is decided by the seal",
  hint: "leave the argument out; --root-uuid names the root file system",
} as const;
const SHELL = {
  reason: "lets a boot end in a shell",
  hint: "leave the argument out: a sealed system asks nobody at the console",
} as const;

/** What systemd's parse_boolean accepts as false (systemd, src/basic/parse-util.c). */
const SYSTEMD_FALSE = ["0", "no", "n", "false", "f", "off"];

/**
 * Sources: kernel Documentation/admin-guide/kernel-parameters; kernel-command-line(7), systemd(1),
 * systemd-debug-generator(8), systemd-fstab-generator(8), systemd-run-generator(8); dracut.cmdline(7);
 * initramfs-tools(7); overlayroot (cloud-initramfs-tools); ostree-prepare-root(1).
 */
const REFUSALS: readonly Refusal[] = [
  // Which image is the root.
  { ...SEALED, keys: ["composefs", "composefs.digest", "ostree"] },
  // What the root file system is, and what is mounted over it.
  { ...SEALED, keys: ["root", "boot", "roothash", "usrhash", "mount.usr", "overlayroot"] },
  { ...SEALED, keys: ["rd.overlay", "rd.overlayfs", "rd.live.overlay", "rd.live.overlay.overlayfs"] },
  { ...SEALED, keys: ["systemd.mount-extra"], hasInitrdForm: true },
  // Which program is started first, here and in the initramfs, and which initramfs. After `--` all words are for init.
  { ...SEALED, keys: ["init", "rdinit", "real_init", "rd.distroinit", "initrd", "initrdmem", "noinitrd"] },
  { ...SEALED, keys: ["--"], isBare: true },
  // What systemd starts.
  { ...SEALED, keys: ["systemd.unit", "systemd.run"], hasInitrdForm: true },
  { ...SHELL, keys: ["systemd.wants"], values: /^(debug-shell|emergency|rescue)\b/, hasInitrdForm: true },
  // The runlevels without a login: systemd, src/basic/proc-cmdline.c, runlevel_to_target.
  { ...SHELL, keys: ["single", "rescue", "emergency", "1", "s", "S", "-s", "-b"], isBare: true },
  { ...SHELL, keys: ["rd.rescue"] },
  // dracut's rd.emergency=ACTION says what to do instead of a shell.
  { ...SHELL, keys: ["rd.emergency"], offValues: ["reboot", "poweroff", "halt"] },
  { ...SHELL, keys: ["break", "rd.break", "rdbreak", "rd.cmdline"] },
  // dracut's getargbool treats any other word as true.
  { ...SHELL, keys: ["rd.shell", "rdshell"], offValues: ["0", "no", "off"] },
  { ...SHELL, keys: ["systemd.debug_shell", "systemd.crash_shell"], offValues: SYSTEMD_FALSE, hasInitrdForm: true },
  // Makes the emergency shell skip the password; the kernel passes unknown words to init's environment.
  { ...SHELL, keys: ["SYSTEMD_SULOGIN_FORCE"] },
  { ...SHELL, keys: ["systemd.setenv"], values: /^SYSTEMD_SULOGIN_FORCE\b/, hasInitrdForm: true },
];

/** Why an argument is refused. */
export type RefusalReason = Pick<Refusal, "reason" | "hint">;

/**
 * Whether an argument is one that a sealed command line must not hold.
 * @param isQuotingReader false for a reader without quotes, which sees bare words inside quoted values
 */
export function refusalOf(argument: KernelArgument, isQuotingReader: boolean): RefusalReason | undefined {
  return REFUSALS.find((refusal) => applies(refusal, argument, isQuotingReader));
}

const INSTALLED: RefusalReason & { readonly keys: readonly string[] } = {
  keys: ["composefs", "composefs.digest", "ostree", "root"],
  reason: "is decided by the installation",
  hint: "leave the argument out: it names the image and the disk that it is on",
};

/** Whether an argument is one that an unsealed host's command line gets from the installation alone. */
export function installedRefusalOf({ key }: KernelArgument): RefusalReason | undefined {
  return INSTALLED.keys.some((refused) => sameKey(refused, key)) ? INSTALLED : undefined;
}

function applies(refusal: Refusal, { key, value }: KernelArgument, isQuotingReader: boolean): boolean {
  const plainKey = refusal.hasInitrdForm === true && key.startsWith("rd.") ? key.slice("rd.".length) : key;
  if (!refusal.keys.some((refused) => sameKey(refused, plainKey))) return false;
  if (refusal.isBare === true) return isQuotingReader && value === undefined;
  // systemd drops quotes anywhere in a value, older ones backslashes too.
  if (refusal.values !== undefined) return refusal.values.test((value ?? "").replaceAll(/["'\\]/g, ""));
  return refusal.offValues?.includes(value ?? "") !== true;
}
