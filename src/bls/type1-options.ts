/** The kernel command line in a Type 1 entry, which the machine may change: what an update does to it (spec/host-lifecycle.md 4.2, 6). */
import { CommandLine, type KernelArgument } from "./command-line.ts";
import { formatComposefsArgument, formatDigestArgument } from "./composefs-argument.ts";

/** Which image an entry starts. */
export interface EntryImage {
  /** Image id, SHA-512, of an image of version 1. */
  readonly id: string;
  /** fs-verity is used if it is there, not required. */
  readonly verityOptional: boolean;
}

/**
 * Both composefs arguments of an image of version 1. Who will read them is not known: the initramfs, and on the running
 * host any version of bootc, of which those before 1.17 know the plain form alone (spec/upstream-1.17.md 1, rows 2 and
 * 6).
 */
export function type1Arguments({ id, verityOptional }: EntryImage): string[] {
  return [formatDigestArgument(id, "sha512", 1, verityOptional), formatComposefsArgument(id, verityOptional)];
}

/**
 * The command line as the kernel gets it, which is what its limit is for: systemd-boot puts the path of the initramfs in
 * front of the options (systemd, src/boot/boot.c; seen on a booted host).
 *
 * @param initrd absolute in the file system of the entry
 */
export function startedLine(options: string, initrd: string): string {
  return `initrd=${initrd.replaceAll("/", "\\")} ${options}`;
}

/** What the image's own kernel arguments lost and gained. */
export interface ArgumentChange {
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** @param from and `to` texts of one or more arguments each, as in `kargs.d` */
export function argumentChange(from: readonly string[], to: readonly string[]): ArgumentChange {
  const [old, now] = [from, to].map((texts) => CommandLine.parse(texts.join(" ")).arguments);
  const without = (some: readonly KernelArgument[] = [], others: readonly KernelArgument[] = []) =>
    some.filter((one) => !new CommandLine(others).hasExact(one.text)).map(({ text }) => text);
  return { removed: without(old, now), added: without(now, old) };
}

/**
 * The command line of the next deployment: that of the booted one with the other image in the place of its own, and with
 * the image's own arguments changed. Everything else was put there on this machine, and stays.
 *
 * @param owned arguments that stay although the image drops them: they belong to somebody else too
 */
export function nextOptions(
  booted: CommandLine,
  image: EntryImage,
  change: ArgumentChange,
  owned: readonly string[] = [],
): CommandLine {
  const kept = CommandLine.parse(owned.join(" "));
  let line = withImage(booted, image);
  for (const removed of change.removed) if (!kept.hasExact(removed)) line = line.removeExact(removed);
  for (const added of change.added) line = line.add(added);
  return line;
}

/** With the composefs arguments where the first of the old ones was, or at the end. */
function withImage(line: CommandLine, image: EntryImage): CommandLine {
  const words: string[] = [];
  let isPlaced = false;
  for (const { key, text } of line.arguments) {
    if (key !== "composefs" && key !== "composefs.digest") {
      words.push(text);
    } else if (!isPlaced) {
      words.push(...type1Arguments(image));
      isPlaced = true;
    }
  }
  if (!isPlaced) words.push(...type1Arguments(image));
  return CommandLine.parse(words.join(" "));
}
