/** Loading the kernel modules that the root needs, in the order that seal computed. */
import type { BootSystem } from "./system.ts";
import { decodeText } from "./system.ts";
import { BASE, toolCommand } from "./tools.ts";

/** Harmless errnos of finit_module(2): already loaded, or no such hardware (a hash for another CPU). */
const EXPECTED_ERRORS = [0, 17, 19];

/**
 * Loads the modules of the running kernel that the initramfs carries. What cannot be loaded is reported; what needs it
 * fails later with its own reason.
 *
 * @param list `order` for what is always needed, `order-slow` for disks that most machines do not boot from,
 *   `order-watchdog` for what notices a hang, `order-crypt` for an encrypted root
 */
export function loadKernelModules(
  system: BootSystem,
  list: "order" | "order-slow" | "order-watchdog" | "order-crypt",
): void {
  const release = decodeText(system.readBytes("/proc/sys/kernel/osrelease") ?? new Uint8Array(0)).trim();
  const directory = `${BASE}/modules/${release}`;
  const order = system.readBytes(`${directory}/${list}`);
  if (order === undefined) {
    const carried = system.list(`${BASE}/modules`).join(", ");
    if (carried !== "") {
      system.report("failure", `no modules for the running kernel ${release}, only for ${carried}`);
    }
    return;
  }
  const paths = decodeText(order)
    .split("\n")
    .filter((name) => name !== "")
    .map((name) => `${directory}/${name}`);
  if (paths.length === 0) return;
  const { output } = system.run(toolCommand(system, "insmod", paths));
  for (const [index, path] of paths.entries()) {
    const errno = output[index];
    if (errno === undefined || !EXPECTED_ERRORS.includes(errno)) {
      system.report("information", `module ${path} was not loaded: error ${errno ?? "unknown"}`);
    }
  }
}
