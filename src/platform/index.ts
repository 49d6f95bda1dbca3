/**
 * platform: what the operating system does for sealroot: system calls that Node lacks (through koffi), programs,
 * worker threads, temporary files, atomic writes.
 *
 * Ground room: knows the kernel's and libc's interfaces, nothing of composefs. The only room that may import koffi and
 * node:child_process. koffi is loaded at the first system call, not at import.
 * @module
 */
export * from "./exit-hooks.ts";
export * from "./run-tool.ts";
export * from "./tools.ts";
