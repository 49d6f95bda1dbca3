/** The digest that is sealed, computed before the sealed image exists. */
import { SealrootError } from "../errors/index.ts";
import { makeBootable } from "../imagestore/index.ts";
import { imageOfTree, type Repository } from "../repository/index.ts";
import type { TarMember } from "../tar/index.ts";
import {
  applyLayerEntry,
  type DirectoryNode,
  type FileContent,
  INLINE_CONTENT_MAX_BYTES,
  type LayerEntry,
  transformForOci,
} from "../tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../verity/index.ts";

/** Hosts know SHA-512 only (spec/host.md 0). */
export const SEAL_ALGORITHM: VerityAlgorithm = "sha512";

/**
 * Computes ids of the bootable EROFS images of a tree, the numbers in the composefs arguments.
 *
 * @param repository holds the contents of the tree's files
 * @param root all layers merged, before any transform; it is transformed in place
 * @returns gives the id of the image in a version
 */
export function bootableImageIds(repository: Repository, root: DirectoryNode): (version: 1 | 2) => string {
  transformForOci(root, { keepUserXattrs: false });
  makeBootable(repository, root);
  return (version) => verityDigest(imageOfTree(root, repository.algorithm, version), SEAL_ALGORITHM);
}

/** Applies the added layer to a tree, as reading it back from the sealed image will. */
export function applyMembers(root: DirectoryNode, members: readonly TarMember[]): void {
  for (const member of members) applyLayerEntry(root, entryOfMember(member));
}

function entryOfMember({ header, body }: TarMember): LayerEntry {
  const { kind, path, mode, uid, gid, mtimeSeconds, mtimeNanoseconds = 0 } = header;
  const metadata = { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs: new Map(header.xattrs) };
  if (kind === "directory") return { type: "inode", path, node: { kind, metadata, entries: new Map() } };
  if (kind === "file" && body instanceof Uint8Array) {
    return { type: "inode", path, node: { kind, metadata, content: contentOf(body) } };
  }
  throw new SealrootError("unsupported", `Cannot seal the image: the added layer has a ${kind} (${path})`, { path });
}

function contentOf(bytes: Uint8Array): FileContent {
  if (bytes.length <= INLINE_CONTENT_MAX_BYTES) return { type: "inline", bytes };
  return { type: "external", sizeBytes: bytes.length, objectId: verityDigest(bytes, SEAL_ALGORITHM) };
}
