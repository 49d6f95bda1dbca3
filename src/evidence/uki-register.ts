/** PCR 11, which systemd-stub makes of a UKI and the system goes on with (systemd-stub(7), systemd-pcrphase.service(8)). */
import { fromHex } from "../bytes/index.ts";
import { BOOT_PHASES, PcrRegister } from "../tpm/index.ts";
import type { EvidenceProgram } from "./evidence.ts";

/** When the stub has measured these sections: of each its name with a NUL, and its content. */
export function stubRegister(sections: NonNullable<EvidenceProgram["sections"]>): PcrRegister {
  const register = new PcrRegister("sha256");
  for (const { name, sha256 } of sections) register.measure(Buffer.from(`${name}\0`)).extend(fromHex(sha256));
  return register;
}

/** In this order; systems without systemd in their initramfs leave the first two out, and all of them may be switched off. */
const PHASES = [...BOOT_PHASES, "shutdown"];

/** The phases that lead from a register to a value; undefined when none do. */
export function phasesReaching(from: PcrRegister, to: Uint8Array): readonly string[] | undefined {
  for (let chosen = 0; chosen < 1 << PHASES.length; chosen++) {
    const phases = PHASES.filter((_, index) => (chosen & (1 << index)) !== 0);
    const reached = from.copy();
    for (const phase of phases) reached.measure(Buffer.from(phase));
    if (Buffer.from(reached.value).equals(to)) return phases;
  }
  return undefined;
}

/** When, in words. */
export function phasesText(phases: readonly string[]): string {
  return phases.length === 0 ? "right after the stub" : `after ${phases.join(", ")}`;
}
