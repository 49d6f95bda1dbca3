/** The phases of a boot that userspace measures into PCR 11 (systemd-pcrphase.service(8), systemd-measure(1)). */

/** In this order. Each is measured as its name, without a NUL. */
export const BOOT_PHASES = ["enter-initrd", "leave-initrd", "sysinit", "ready"] as const;

/** How far a boot has come: the phases so far, joined by colons. */
export const BOOT_PHASE_PATHS: readonly string[] = BOOT_PHASES.map((_, index) =>
  BOOT_PHASES.slice(0, index + 1).join(":"),
);

/** The phases of a path; none of the empty one, which is right after systemd-stub. */
export function phasesOfPath(path: string): readonly string[] {
  return path === "" ? [] : path.split(":");
}
