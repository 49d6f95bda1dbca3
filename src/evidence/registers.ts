/** Which registers of a TPM evidence is about. */

/**
 * Registers that are quoted: those of the boot chain and of the operating system's boot. 10 grows with every file that IMA
 * measures, and from 16 on they can be reset (PC Client Platform TPM Profile 1.06, 4.6.2).
 */
export const QUOTED_REGISTERS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15];
