/** What differs between the virtual machines of the architectures: QEMU's program, board and processor. */
import type { ArchitectureName } from "../bootimage/index.ts";
import type { Accelerator } from "./accelerator.ts";

export interface Hardware {
  /** QEMU for it. */
  readonly program: string;
  /** Board and processor, with firmware or with a kernel that QEMU loads itself. */
  board(accelerator: Accelerator, isDirect: boolean): readonly string[];
  /** What the firmware needs besides its two files. */
  readonly firmwareArguments: readonly string[];
  readonly tpmDevice: string;
}

export const HARDWARE: Readonly<Record<ArchitectureName, Hardware>> = {
  /**
   * The `secboot` build of OVMF needs System Management Mode, and hangs without it. In emulation `cx16` is off: with two
   * processors QEMU 7.2's cmpxchg16b crashes the kernel's slab allocator (spec/boot-chain.md C, "-cpu"). The processors
   * take turns on one thread: with a thread each, Node in the guest died of "Check failed: it->second.Size() > offset",
   * on some hosts in one run of ten, on others in every one.
   */
  amd64: {
    program: "qemu-system-x86_64",
    board: (accelerator, isDirect) => [
      ...["-machine", `q35,smm=${isDirect ? "off" : "on"},vmport=off`],
      ...(accelerator === "tcg"
        ? ["-accel", "tcg,thread=single", "-cpu", "max,-cx16"]
        : ["-accel", "kvm", "-cpu", "host"]),
    ],
    // Only code in System Management Mode may write variables: without this the guest could enrol its own keys.
    firmwareArguments: ["-global", "driver=cfi.pflash01,property=secure,value=on"],
    tpmDevice: "tpm-crb",
  },
  /**
   * QEMU's own board (QEMU documentation, "virt generic virtual platform"). The processor is one without pointer
   * authentication, whose emulation takes half of the time.
   */
  arm64: {
    program: "qemu-system-aarch64",
    board: (accelerator) => [
      ...["-machine", "virt"],
      ...(accelerator === "tcg"
        ? ["-accel", "tcg,thread=single", "-cpu", "cortex-a72"]
        : ["-accel", "kvm", "-cpu", "host"]),
    ],
    firmwareArguments: [],
    tpmDevice: "tpm-tis-device",
  },
};
