/**
 * inspect: what something is: an image, an EFI program, a disk, a tree; with everything in it, without a judgement.
 *
 * System room: reads images from anywhere, disks and directories. Verifies nothing (`verify/` does), writes nothing.
 * @module
 */
export type { ImagePartOptions } from "./image-part.ts";
export { inspectThing } from "./inspect.ts";
export type { Fact, Part } from "./part.ts";
export { partLines } from "./part-text.ts";
