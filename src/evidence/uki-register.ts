/** PCR 11, which systemd-stub makes of a UKI and the system goes on with (systemd-stub(7), systemd-pcrphase.service(8)). */
import { createHash } from "node:crypto";
import { fromHex } from "../bytes/index.ts";
import { extended } from "../tpm/index.ts";
import type { EvidenceProgram } from "./evidence.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest();

/** The value when the stub has measured these sections: of each its name with a NUL, and its content. */
export function stubRegister(sections: NonNullable<EvidenceProgram["sections"]>): Uint8Array {
  let value: Uint8Array = new Uint8Array(32);
  for (const { name, sha256: content } of sections)
    value = extended(extended(value, sha256(`${name}\0`)), fromHex(content));
  return value;
}

/** In this order; systems without systemd in their initramfs leave the first two out, and all of them may be switched off. */
const PHASES = ["enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown"] as const;

/** The phases that lead from one value to another; undefined when none do. */
export function phasesReaching(from: Uint8Array, to: Uint8Array): readonly string[] | undefined {
  for (let chosen = 0; chosen < 1 << PHASES.length; chosen++) {
    const phases = PHASES.filter((_, index) => (chosen & (1 << index)) !== 0);
    const reached = phases.reduce((value, phase) => extended(value, sha256(phase)), from);
    if (Buffer.from(reached).equals(to)) return phases;
  }
  return undefined;
}
