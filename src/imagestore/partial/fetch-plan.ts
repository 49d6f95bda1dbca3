/** What must be fetched of a layer, given what the repository has (spec/chunked-and-policy.md 1.7). */
import { planRanges, type Toc, type TocChunk } from "../../chunked/index.ts";
import type { ByteRange } from "../../oci/index.ts";
import type { LocalContent } from "./file-list.ts";
import { PullWhole } from "./not-partial.ts";

const SHA256_PREFIX = "sha256:";

/** The hex digits of a digest in a table, which is always sha256. */
export function sha256Hex(digest: string): string {
  return digest.slice(SHA256_PREFIX.length);
}

/** Sizes of all contents by their sha256 in hex. @throws PullWhole when one digest has two sizes */
export function wantedContents(toc: Toc): Map<string, number> {
  const wanted = new Map<string, number>();
  for (const { content, sizeBytes } of toc.entries) {
    if (content === undefined) continue;
    const hex = sha256Hex(content.digest);
    if ((wanted.get(hex) ?? sizeBytes) !== sizeBytes)
      throw new PullWhole("files with the same digest have different sizes");
    wanted.set(hex, sizeBytes);
  }
  return wanted;
}

export interface FetchPlan {
  /** The ranges to request. */
  readonly ranges: readonly ByteRange[];
  readonly rangesBytes: number;
  /** Bytes of files in the blob that need not be requested. */
  readonly savedBytes: number;
}

/**
 * What to request.
 * @throws PullWhole when files share bytes of the blob
 */
export function planFetch(toc: Toc, local: ReadonlyMap<string, LocalContent>): FetchPlan {
  const pieces: TocChunk[] = [];
  let filesBytes = 0;
  for (const { content } of toc.entries) {
    if (content === undefined) continue;
    filesBytes += bytesOf(content.chunks);
    if (local.has(sha256Hex(content.digest))) continue;
    for (const chunk of content.chunks) if (!chunk.isHole) pieces.push(chunk);
  }
  pieces.sort((a, b) => a.start - b.start);
  for (const [index, piece] of pieces.entries()) {
    if (piece.start < (pieces[index - 1]?.end ?? 0)) throw new PullWhole("its files share parts of the blob");
  }
  const ranges = planRanges(pieces);
  const rangesBytes = bytesOf(ranges);
  return { ranges, rangesBytes, savedBytes: Math.max(0, filesBytes - rangesBytes) };
}

function bytesOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}
