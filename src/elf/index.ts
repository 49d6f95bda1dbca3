/**
 * elf: which libraries a program needs, which kernel modules a module needs, and the smallest programs that can be
 * written by hand.
 *
 * A format room: pure, imports `bytes/` and `errors/`; files are read through functions the caller gives.
 * Source: System V ABI (gABI) chapters 4 and 5, ld.so(8), modules.dep(5).
 * @module
 */
export * from "./kernel-modules.ts";
export * from "./libraries.ts";
export * from "./read.ts";
export * from "./static-program.ts";
