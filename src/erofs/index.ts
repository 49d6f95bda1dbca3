/**
 * erofs: composefs EROFS images, written and read.
 *
 * Pure: a tree in, bytes out, and back. May import `bytes/`, `errors/`, `tree/` and `verity/`. Knows nothing of files,
 * repositories or mounts.
 * @module
 */

export { IMAGE_MAX_BYTES, readErofsVersion, VERSION_BYTES } from "./read-superblock.ts";
export { type ErofsImage, erofsObjects, listErofsObjects, readErofs } from "./reader.ts";
export { type ErofsForm, type ErofsLayout, type ErofsOptions, layOutErofs, writeErofs } from "./writer.ts";
