/** A layer's files as its table of contents announces them, before any of them is fetched. */
import type { TocContent, TocEntry } from "../../chunked/index.ts";
import type { BlobName } from "../../oci/index.ts";
import type { TarBody, TarEntry } from "../../tar/index.ts";
import { DIGEST_BYTES, type VerityAlgorithm } from "../../verity/index.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { sha256Hex } from "./fetch-plan.ts";
import type { FetchedTable, ReadRanges } from "./fetch-table.ts";
import { fetchedBody } from "./file-bodies.ts";
import type { LocalContent } from "./file-list.ts";
import { RangeReader } from "./range-reader.ts";

const NANOSECONDS = 1_000_000_000n;

/**
 * What stands for the object id of a content that the repository lacks: of the length of an id, and that of no object,
 * since fs-verity does not hash contents just so.
 *
 * @param digest as in the table
 */
export function standInId({ digest }: TocContent, algorithm: VerityAlgorithm): string {
  return sha256Hex(digest).repeat(DIGEST_BYTES[algorithm] / DIGEST_BYTES.sha256);
}

/**
 * The entries of a layer as the archive will have them. A content that the repository lacks is external, whatever its
 * size, under its {@link standInId}.
 *
 * @param local contents of the repository by their sha256 in hex
 */
export function announcedEntries(
  { toc }: FetchedTable,
  local: ReadonlyMap<string, LocalContent>,
  algorithm: VerityAlgorithm,
): readonly ArchivedEntry[] {
  return toc.entries.map((entry) => ({ entry: tarEntry(entry), body: bodyOf(entry.content, local, algorithm) }));
}

function tarEntry(entry: TocEntry): TarEntry {
  const { kind, name, linkPath, mode, uid, gid, sizeBytes, xattrs, accessTimeNs, changeTimeNs, device } = entry;
  const timeNs = entry.modificationTimeNs ?? 0n;
  const mtimeNanoseconds = Number(((timeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS);
  return {
    ...{
      kind,
      typeFlag: "",
      path: name,
      linkPath,
      mode,
      uid,
      gid,
      sizeBytes,
      xattrs,
      accessTimeNs,
      changeTimeNs,
      device,
    },
    mtimeSeconds: (timeNs - BigInt(mtimeNanoseconds)) / NANOSECONDS,
    mtimeNanoseconds,
    storedBytes: sizeBytes,
    sparse: undefined,
    headerOffset: 0,
  };
}

function bodyOf(
  content: TocContent | undefined,
  local: ReadonlyMap<string, LocalContent>,
  algorithm: VerityAlgorithm,
): TarBody {
  if (content === undefined) return { type: "inline", bytes: new Uint8Array(0) };
  const known = local.get(sha256Hex(content.digest));
  if (known?.type === "bytes") return { type: "inline", bytes: known.bytes };
  return { type: "external", reference: known?.objectId ?? standInId(content, algorithm) };
}

/**
 * Fetches one file out of a layer, into memory.
 * @throws SealrootError `corrupt` when it does not have the digest of the table; PullWhole when no parts are served
 */
export async function fetchFile(readRanges: ReadRanges, blob: BlobName, content: TocContent): Promise<Uint8Array> {
  const ranges = content.chunks.filter(({ isHole }) => !isHole).map(({ start, end }) => ({ start, end }));
  const reader = new RangeReader(ranges, ranges.length === 0 ? undefined : readRanges(blob, ranges));
  try {
    const parts: Uint8Array[] = [];
    for await (const part of fetchedBody(reader, content, "a file of the layer")) parts.push(new Uint8Array(part));
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
}
