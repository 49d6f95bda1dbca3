/** Which program made an initramfs, judged by its contents (spec/boot-chain.md G "Which kind is it"). */
import type { CpioEntry } from "./entry.ts";
import type { InitramfsSegment } from "./walk.ts";

/** `systemd`: systemd is its init (dracut, mkosi). `unknown` comes with what was seen. */
export type InitramfsKind =
  | { readonly kind: "systemd" | "initramfs-tools" }
  | { readonly kind: "unknown"; readonly reason: string };

export interface InitramfsSummary {
  readonly kind: InitramfsKind;
  /** Kernel releases it has modules for. */
  readonly kernelReleases: readonly string[];
}

const MODULES = /^(?:usr\/)?lib\/modules\/([^/]+)\//;

/** What an unpacked initramfs would be: later entries win over earlier ones of the same name. */
export function summarizeInitramfs(segments: Iterable<InitramfsSegment>): InitramfsSummary {
  const entries = new Map<string, SeenEntry>();
  const releases = new Set<string>();
  for (const segment of segments) {
    for (const entry of segment.entries) {
      entries.set(entry.path.replace(/^\.\//, ""), seen(entry));
      const release = MODULES.exec(entry.path)?.[1];
      if (release !== undefined) releases.add(release);
    }
  }
  return { kind: kindOf(entries), kernelReleases: [...releases].sort() };
}

/** An entry without its content, which may be large. */
type SeenEntry = Pick<CpioEntry, "kind"> & { readonly target: string };

function seen(entry: CpioEntry): SeenEntry {
  return { kind: entry.kind, target: entry.kind === "symlink" ? entry.target : "" };
}

function kindOf(entries: ReadonlyMap<string, SeenEntry>): InitramfsKind {
  const init = entries.get("init");
  if (init === undefined) return { kind: "unknown", reason: "it has no /init" };
  if (init.kind === "symlink") {
    const toSystemd = /(^|\/)lib\/systemd\/systemd$/.test(init.target);
    const marked = entries.has("etc/initrd-release") || entries.has("usr/lib/initrd-release");
    return toSystemd && marked
      ? { kind: "systemd" }
      : { kind: "unknown", reason: `its /init is a link to ${init.target}` };
  }
  if (entries.has("scripts/functions") && entries.has("conf/initramfs.conf")) return { kind: "initramfs-tools" };
  if (entries.has("init_functions")) return { kind: "unknown", reason: "it was made by mkinitcpio without systemd" };
  if ([...entries.keys()].some((path) => /^(usr\/)?lib\/dracut\//.test(path))) {
    return { kind: "unknown", reason: "it was made by dracut without its systemd module" };
  }
  return { kind: "unknown", reason: "its /init is neither systemd nor of initramfs-tools" };
}
