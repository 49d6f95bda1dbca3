/** What keeps hosts that are alike from doing the same thing at the same time. */
import { createHash } from "node:crypto";

/** Bits of a hash that a double holds exactly. */
const FRACTION_BITS = 48;

/**
 * A number of this host, evenly spread over all hosts and the same at every call. The machine id itself is not to be
 * known to others (machine-id(5)); a hash with a purpose of its own does not tell it.
 *
 * @param machineId of /etc/machine-id
 * @param purpose numbers of different purposes have nothing to do with each other
 * @returns from 0, less than 1
 */
export function hostFraction(machineId: string, purpose: string): number {
  const hash = createHash("sha256").update(`sealroot ${purpose}\0${machineId}`).digest();
  return hash.readUIntBE(0, FRACTION_BITS / 8) / 2 ** FRACTION_BITS;
}
