/**
 * erofs: composefs EROFS images, written and read.
 *
 * Pure: a tree in, bytes out, and back. May import `bytes/`, `errors/`, `tree/` and `verity/`. Knows nothing of files,
 * repositories or mounts. The format is described in docs/formats.md.
 * @module
 */
export { type ErofsForm, type ErofsOptions, writeErofs } from "./writer.ts";
