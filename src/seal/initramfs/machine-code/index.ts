/**
 * Machine code programs that QuickJS needs: it has no ioctl and no finit_module, and is slow at looking for thousands
 * of files. They replace fsverity(1) with its 7.5 MB of libraries, and insmod (spec/boot-chain.md E and G).
 */
import { fromHex } from "../../../bytes/index.ts";
import { ELF_MACHINE, writeStaticProgram } from "../../../elf/index.ts";
import { SealrootError } from "../../../errors/index.ts";
import * as aarch64 from "./aarch64.ts";
import * as x8664 from "./x86-64.ts";

export interface MachineCodePrograms {
  readonly measure: Uint8Array;
  readonly insmod: Uint8Array;
  readonly lookup: Uint8Array;
}

/** Listings by e_machine: a line has the bytes in hexadecimal, then what they say. */
const LISTINGS: ReadonlyMap<number, Readonly<Record<"MEASURE" | "INSMOD" | "LOOKUP", string>>> = new Map([
  [ELF_MACHINE.x86_64, { ...x8664 }],
  [ELF_MACHINE.aarch64, { ...aarch64 }],
]);

/**
 * The programs for a CPU.
 * @param machine e_machine of the image's programs
 * @throws SealrootError `unsupported` for a CPU whose machine code is not written
 */
export function machineCodePrograms(machine: number): MachineCodePrograms {
  const listing = LISTINGS.get(machine);
  if (listing === undefined) {
    throw new SealrootError("unsupported", "Cannot build the initramfs: the image's programs are for another CPU", {
      expected: `e_machine ${[...LISTINGS.keys()].join(" or ")}`,
      actual: `e_machine ${machine}`,
    });
  }
  return {
    measure: writeStaticProgram(machine, assembled(listing.MEASURE)),
    insmod: writeStaticProgram(machine, assembled(listing.INSMOD)),
    lookup: writeStaticProgram(machine, assembled(listing.LOOKUP)),
  };
}

/** The bytes in the first column of a listing. */
function assembled(listing: string): Uint8Array {
  return fromHex([...listing.matchAll(/^ +([0-9a-f]+) /gm)].map(([, hex]) => hex).join(""));
}
