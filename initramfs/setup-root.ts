/**
 * initramfs: the program that makes the root file system at boot, run by QuickJS.
 *
 *     qjs --std -m setup-root.ts find NEWROOT      the minimal initramfs: find and mount the physical root as well
 *     qjs --std -m setup-root.ts mounted NEWROOT   an extended initramfs: the physical root is on NEWROOT already
 *     qjs --std -m setup-root.ts arguments         initramfs-tools, before anything else: is the command line ours
 *     qjs --std -m setup-root.ts refuse            the initramfs around us failed: end the boot as we do
 *
 * It is never PID 1. It ends with status 0 when the root is ready, or the command line is as it should be; otherwise it
 * reboots the machine or stops forever, and does not end. May import the pure rooms `bls/`, `bootplan/`, `bytes/`,
 * `errors/` and nothing else.
 * @module
 */
import { refuseOtherWays } from "../src/bootplan/appended-arguments.ts";
import { planBoot } from "../src/bootplan/boot-plan.ts";
import { SealrootError } from "../src/errors/index.ts";
import { assembleRoot, bootInputs } from "./assemble-root.ts";
import { BootPhases } from "./boot-phases.ts";
import { CountedBoot } from "./counted-boot.ts";
import { mountEfiVariables } from "./efi-variables.ts";
import { refuseBoot, stopForever } from "./failure.ts";
import { loadKernelModules } from "./kernel-modules.ts";
import { quickJsSystem } from "./quickjs-system.ts";

function main(
  system: typeof quickJsSystem,
  boot: CountedBoot,
  [, mode, newRoot = "/sysroot"]: readonly string[],
): void {
  switch (mode) {
    case "find": {
      const phases = BootPhases.enter(system);
      const unlock = { phases, canFallBack: boot.canFallBack };
      assembleRoot(system, { newRoot, rootIsMounted: false, unlock }, boot);
      phases.leave();
      return;
    }
    case "mounted":
      // The initramfs around us measures its phases itself, if it does.
      assembleRoot(system, { newRoot, rootIsMounted: true }, boot);
      return;
    case "arguments": {
      const inputs = bootInputs(system);
      refuseOtherWays(inputs.commandLine);
      planBoot(inputs);
      return;
    }
    case "refuse":
      throw new SealrootError("failed", "Cannot go on: the initramfs failed before the root was mounted, see above");
    default:
      throw new SealrootError("usage", `Cannot set up the root: unknown mode "${mode}"`);
  }
}

let boot: CountedBoot | undefined;
try {
  loadKernelModules(quickJsSystem, "order");
  mountEfiVariables(quickJsSystem);
  boot = CountedBoot.begin(quickJsSystem);
  main(quickJsSystem, boot, scriptArgs);
} catch (error) {
  refuseBoot(quickJsSystem, boot, error);
  stopForever(quickJsSystem);
}
std.exit(0);
