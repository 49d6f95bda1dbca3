/**
 * cpio: the newc archives that an initramfs is made of: a deterministic writer, a strict reader, and a walker of the
 * concatenated and compressed archives the kernel unpacks one after the other.
 *
 * A format room: pure, imports `bytes/` and `errors/`. Compressed archives are unpacked by functions the caller gives.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst, init/initramfs.c; spec/boot-chain.md E, G.
 * @module
 */
export * from "./entry.ts";
export * from "./join.ts";
export * from "./kind.ts";
export * from "./read.ts";
export * from "./walk.ts";
export * from "./write.ts";
