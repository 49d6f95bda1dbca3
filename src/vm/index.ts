/**
 * vm: boots a disk (or a bare kernel) in QEMU, captures the console, runs commands inside.
 *
 * System room: knows QEMU's command line, OVMF's files and systemd's SMBIOS credentials (spec/boot-chain.md C and H);
 * may use keys/, efi/, disk/ and platform/. Knows nothing about how a sealed image is made.
 * @module
 */
export { type Accelerator, chooseAccelerator } from "./accelerator.ts";
export type { CommandResult } from "./agent-channel.ts";
export { checkBootDisk } from "./boot-disk.ts";
export { lastConsoleLine } from "./console-status.ts";
export { AGENT_SCRIPT } from "./credentials.ts";
export type { DirectBoot, Drive } from "./machine.ts";
export type { VirtualMachineOptions } from "./options.ts";
export { runOnTerminal } from "./terminal.ts";
export { startVirtualMachine, type VirtualMachine } from "./virtual-machine.ts";
