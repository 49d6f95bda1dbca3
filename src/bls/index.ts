/**
 * bls: the texts that boot loaders and their users exchange: the kernel command line and its `composefs=` argument,
 * Boot Loader Specification Type 1 entries with their names and orders, boot counting, os-release and INI files.
 *
 * A format room: pure, imports `errors/` only. `command-line.ts`, `composefs-argument.ts` and `boot-counting.ts` also
 * run inside the initramfs under QuickJS and use no global that QuickJS lacks.
 * @module
 */
export * from "./boot-counting.ts";
export {
  type CommandLineArchitecture,
  type CommandLineCheck,
  checkCommandLine,
  checkCommandLineLength,
  checkUserArguments,
  type LineProtection,
  SEALED_LINE_KEYS,
} from "./check-command-line.ts";
export * from "./command-line.ts";
export * from "./composefs-argument.ts";
export * from "./entry.ts";
export * from "./entry-name.ts";
export * from "./entry-order.ts";
export * from "./entry-position.ts";
export * from "./grub-menu.ts";
export * from "./ini.ts";
export * from "./options-source.ts";
export * from "./os-release.ts";
export * from "./type1-options.ts";
export * from "./version-compare.ts";
