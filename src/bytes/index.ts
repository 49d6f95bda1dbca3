/**
 * bytes: the ground all format rooms stand on: byte strings, cursor, writer, hex, alignment, sizes, text in pages, XXH32.
 *
 * Pure; may import `errors/` and nothing else. Must run under QuickJS too where `initramfs/` uses it, so
 * `initramfs/` imports only the single files that need no Node global.
 * @module
 */
export * from "./align.ts";
export * from "./byte-string.ts";
export * from "./cursor.ts";
export * from "./hex.ts";
export * from "./html-text.ts";
export * from "./id-index.ts";
export * from "./padding.ts";
export * from "./size.ts";
export * from "./uuid.ts";
export * from "./writer.ts";
export * from "./xxh32.ts";
