/** Tells the TPM, if the boot is measured, when the initramfs begins and when it is left. */
import {
  checkPhaseResponse,
  type InitramfsPhase,
  MEASURED_VARIABLE,
  PHASE_REGISTER,
  phaseCommand,
  TPM_DEVICE,
} from "../src/bootplan/boot-phase.ts";
import { reasonOf } from "../src/errors/index.ts";
import { readLoaderVariable } from "./efi-variables.ts";
import type { BootSystem } from "./system.ts";

export class BootPhases {
  readonly #system: BootSystem;
  #isEntered = false;

  /** Measures that the initramfs has begun; a boot that nobody measures, or whose TPM cannot be asked, goes on without. */
  static enter(system: BootSystem): BootPhases {
    const phases = new BootPhases(system);
    // As systemd's units: ConditionSecurity=measured-uki.
    if (readLoaderVariable(system, MEASURED_VARIABLE) !== String(PHASE_REGISTER)) return phases;
    try {
      phases.#measure("enter-initrd");
      phases.#isEntered = true;
    } catch (error) {
      // No signed policy holds without it, so nothing is released that would have to be taken back.
      system.report("information", reasonOf(error));
    }
    return phases;
  }

  private constructor(system: BootSystem) {
    this.#system = system;
  }

  /** Whether signed policies for the initramfs hold. */
  get isEntered(): boolean {
    return this.#isEntered;
  }

  /**
   * Measures that the initramfs is left: what was released to it alone is not released to the system.
   * @throws SealrootError `failed`: the system must not start, as it could have the secrets of the initramfs
   */
  leave(): void {
    if (this.#isEntered) this.#measure("leave-initrd");
  }

  #measure(phase: InitramfsPhase): void {
    checkPhaseResponse(phase, this.#system.exchange(TPM_DEVICE, phaseCommand(phase)));
  }
}
