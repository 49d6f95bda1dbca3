/**
 * tar: tar streams, byte for byte. A push parser that loses nothing (what it reports, concatenated, is the stream),
 * entries with their PAX and GNU extensions applied, and a deterministic writer.
 *
 * Pure: bytes in, values out. May import bytes and errors.
 * @module
 */
export type { TarEntry, TarEntryKind } from "./entry.ts";
export { BLOCK_BYTES } from "./header.ts";
export { TarParser } from "./parser.ts";
export { SPARSE_HINT, SparseExpander, type SparseMap } from "./sparse.ts";
export type { TarBody, TarVisitor } from "./visitor.ts";
export {
  END_OF_ARCHIVE,
  encodeTarHeader,
  type TarMember,
  type TarMemberHeader,
  tarPadding,
  writeTar,
} from "./writer.ts";
