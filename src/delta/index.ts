/**
 * delta: tar-diff, the format in which oci-delta describes a layer by the files of an older image, and its application.
 *
 * A format room: pure, bytes in, bytes out. May import bytes, errors and `zstd/`.
 * @module
 */
export { type ApplyOptions, applyTarDiff, type SourceFile, type TarDiffSource } from "./apply.ts";
export { readTarDiff, TAR_DIFF_MEDIA_TYPE, type TarDiffKind, type TarDiffOperation } from "./operations.ts";
