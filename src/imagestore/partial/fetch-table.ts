/** A layer's table of contents and tar-split data, fetched and checked (spec/chunked-and-policy.md 1.6, steps 2 to 4). */
import {
  type ChunkedPositions,
  checkAgainstTarSplit,
  readTarSplit,
  readToc,
  type StoredPart,
  type TarSplitEntry,
  TOC_MAX_BYTES,
  type Toc,
} from "../../chunked/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import { type BlobName, type BlobReader, checkDigest, once } from "../../oci/index.ts";
import { decompress, unzstdWhole } from "../../zstd/index.ts";
import { asPullWhole, PullWhole } from "./not-partial.ts";

/**
 * Objects in the JSON of a table: each takes a kilobyte of memory. The largest real systems have some 300,000 files.
 */
const TOC_OBJECTS_MAX = 500_000;
const OPENING_BRACE = 0x7b;

/** What is known of a layer before any of its files is fetched. */
export interface FetchedTable {
  readonly toc: Toc;
  /** Reads the tar-split data from their beginning; they stay compressed in memory. */
  tarSplit(): AsyncGenerator<TarSplitEntry>;
  /** Bytes of the blob that this took. */
  readonly fetchedBytes: number;
}

export type ReadRanges = NonNullable<BlobReader["readRanges"]>;

/**
 * Fetches both with one request and checks them: the table against the manifest's annotation, the tar-split data
 * against the table, and that they describe the same tar.
 *
 * @param unpackedLimitBytes limit for the tar; tar-split data are at most about as long
 * @throws SealrootError `corrupt`; PullWhole when nothing vouches for the tar-split data, they are too long, or have
 *   entries that readers disagree on
 */
export async function fetchTable(
  readRanges: ReadRanges,
  blob: BlobName,
  positions: ChunkedPositions,
  unpackedLimitBytes: number,
): Promise<FetchedTable> {
  const { toc: tocPart, tarSplit: tarSplitPart, tocDigest } = positions;
  if (tarSplitPart === undefined) throw new PullWhole("it has no tar-split data");
  refuseLong(tocPart, TOC_MAX_BYTES);
  refuseLong(tarSplitPart, 2 * unpackedLimitBytes);
  const fetched = await fetchParts(readRanges, blob, tocPart, tarSplitPart);
  checkDigest(fetched.toc, tocDigest, `table of contents of layer ${blob.digest}`);
  const toc = readToc(unpackToc(fetched.toc, tocPart.uncompressedBytes), blob.size);
  if (toc.tarSplitDigest === undefined) {
    throw new PullWhole("its table of contents does not vouch for the tar-split data");
  }
  checkDigest(fetched.tarSplit, toc.tarSplitDigest, `tar-split data of layer ${blob.digest}`);
  const tarSplit = () => readTarSplit(unpackTarSplit(fetched.tarSplit, tarSplitPart.uncompressedBytes));
  try {
    await checkAgainstTarSplit(toc, tarSplit());
  } catch (error) {
    if (error instanceof SealrootError && error.code === "unsupported") throw new PullWhole(error.message, error);
    throw error;
  }
  return { toc, tarSplit, fetchedBytes: fetched.toc.length + fetched.tarSplit.length };
}

function refuseLong(part: StoredPart, uncompressedMaxBytes: number): void {
  if (part.end - part.start > TOC_MAX_BYTES || part.uncompressedBytes > uncompressedMaxBytes) {
    throw new PullWhole("its table of contents is too long");
  }
}

async function fetchParts(
  readRanges: ReadRanges,
  blob: BlobName,
  toc: StoredPart,
  tarSplit: StoredPart,
): Promise<{ readonly toc: Uint8Array; readonly tarSplit: Uint8Array }> {
  const tocFirst = toc.start < tarSplit.start;
  const ranges = tocFirst ? [toc, tarSplit] : [tarSplit, toc];
  if ((ranges[0]?.end ?? 0) > (ranges[1]?.start ?? 0)) {
    throw corrupt(`Cannot read layer annotations: table and tar-split data of layer ${blob.digest} overlap`);
  }
  const parts = ranges.map(({ start, end }) => Buffer.alloc(end - start));
  const filledBytes = [0, 0];
  try {
    for await (const piece of readRanges(
      blob,
      ranges.map(({ start, end }) => ({ start, end })),
    )) {
      parts[piece.range]?.set(piece.bytes, filledBytes[piece.range]);
      filledBytes[piece.range] = (filledBytes[piece.range] ?? 0) + piece.bytes.length;
    }
  } catch (error) {
    throw asPullWhole(error);
  }
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = parts;
  return tocFirst ? { toc: first, tarSplit: second } : { toc: second, tarSplit: first };
}

/** The annotation's length is a limit and a check. */
function unpackToc(compressed: Uint8Array, uncompressedBytes: number): Uint8Array {
  const json = unzstdWhole(compressed, uncompressedBytes);
  refuseManyObjects(json);
  if (json.length === uncompressedBytes) return json;
  throw corrupt(`Cannot read table of contents: it has ${json.length} bytes, its annotation says ${uncompressedBytes}`);
}

function refuseManyObjects(json: Uint8Array): void {
  let objects = 0;
  for (let at = json.indexOf(OPENING_BRACE); at !== -1; at = json.indexOf(OPENING_BRACE, at + 1)) {
    if (++objects > TOC_OBJECTS_MAX) throw new PullWhole("its table of contents has too many entries");
  }
}

async function* unpackTarSplit(compressed: Uint8Array, uncompressedBytes: number): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const piece of decompress(once(compressed), "zstd")) {
    sizeBytes += piece.length;
    if (sizeBytes > uncompressedBytes) break;
    yield piece;
  }
  if (sizeBytes === uncompressedBytes) return;
  throw corrupt(`Cannot read tar-split data: they are not the ${uncompressedBytes} bytes of their annotation`);
}
