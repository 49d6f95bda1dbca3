/**
 * bootplan: from the kernel command line and the image's configuration to the list of mounts that make the root file
 * system, and what to do when that fails.
 *
 * A format room: pure, imports `errors/` and the command line of `bls/`. It imports no `node:` module and uses no
 * global of Node, since `initramfs/` carries it into the initramfs, where QuickJS runs it.
 * Source: spec/host-boot.md 3 to 6, spec/boot-chain.md D and I.
 * @module
 */
export * from "./appended-arguments.ts";
export * from "./boot-phase.ts";
export * from "./boot-plan.ts";
export * from "./boot-report.ts";
export * from "./configuration.ts";
export * from "./failure.ts";
export * from "./luks-volume.ts";
export * from "./measurement.ts";
export * from "./mount-plan.ts";
export * from "./objects.ts";
export * from "./permit.ts";
export * from "./recovery-key.ts";
export * from "./root-device.ts";
export * from "./toml.ts";
