/** What a layer's descriptor says about its table of contents (spec/chunked-and-policy.md 1.2). */
import { corrupt } from "../errors/index.ts";

const PREFIX = "io.github.containers.zstd-chunked";

/** The annotations of a zstd:chunked layer. */
export const CHUNKED_ANNOTATION = {
  /** `offset:length:uncompressedLength:type` */
  tocPosition: `${PREFIX}.manifest-position`,
  /** Of the compressed table. */
  tocDigest: `${PREFIX}.manifest-checksum`,
  /** `offset:length:uncompressedLength` */
  tarSplitPosition: `${PREFIX}.tarsplit-position`,
  /** From old writers; nothing vouches for it, so it is not read. */
  obsoleteTarSplitDigest: `${PREFIX}.tarsplit-checksum`,
} as const;

/** The annotation of an eStargz layer: digest of its uncompressed table (spec 1.10). */
const ESTARGZ_TOC_ANNOTATION = "containerd.io/snapshot/stargz/toc.digest";

/** Recompressing a layer must drop these from its descriptor (spec 1.9). */
export const COMPRESSION_ANNOTATIONS: readonly string[] = [
  ...Object.values(CHUNKED_ANNOTATION),
  ESTARGZ_TOC_ANNOTATION,
];

/** The one kind of table there is (spec 1.2: type). */
const TOC_TYPE = 1;

/** A compressed part of the blob outside its data frames. */
export interface StoredPart {
  /** Half-open range in the blob. */
  readonly start: number;
  readonly end: number;
  readonly uncompressedBytes: number;
}

/** Where table and tar-split data are in the blob. */
export interface ChunkedPositions {
  readonly toc: StoredPart;
  /** `sha256:<hex>` of the compressed table; its form has been checked. */
  readonly tocDigest: string;
  /** Absent in blobs of old writers. */
  readonly tarSplit: StoredPart | undefined;
}

/**
 * Reads the annotations; undefined if the layer has no known table of contents.
 *
 * @param blobBytes size of the blob, which must contain all positions
 * @throws SealrootError `corrupt` for a position or digest of another form, or for two kinds of table at once
 */
export function readChunkedAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  blobBytes: number,
): ChunkedPositions | undefined {
  const tocDigest = annotations?.[CHUNKED_ANNOTATION.tocDigest];
  if (annotations === undefined || tocDigest === undefined) return undefined;
  if (annotations[ESTARGZ_TOC_ANNOTATION] !== undefined) {
    throw corrupt("Cannot read layer annotations: they name two tables of contents, of zstd:chunked and of eStargz");
  }
  if (!isSha256(tocDigest)) throw badAnnotation(CHUNKED_ANNOTATION.tocDigest, tocDigest);
  const position = annotations[CHUNKED_ANNOTATION.tocPosition] ?? "";
  const numbers = readNumbers(CHUNKED_ANNOTATION.tocPosition, position, 4);
  if (numbers[3] !== TOC_TYPE) throw badAnnotation(CHUNKED_ANNOTATION.tocPosition, position);
  const tarSplit = annotations[CHUNKED_ANNOTATION.tarSplitPosition];
  return {
    toc: storedPart(numbers, blobBytes, CHUNKED_ANNOTATION.tocPosition, position),
    tocDigest,
    tarSplit:
      tarSplit === undefined
        ? undefined
        : storedPart(
            readNumbers(CHUNKED_ANNOTATION.tarSplitPosition, tarSplit, 3),
            blobBytes,
            CHUNKED_ANNOTATION.tarSplitPosition,
            tarSplit,
          ),
  };
}

/** True for `sha256:` and 64 lower-case hex digits, the only form in tables and annotations. */
export function isSha256(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function readNumbers(key: string, text: string, count: number): number[] {
  const fields = text.split(":");
  if (fields.length !== count || !fields.every((field) => /^\d{1,15}$/.test(field))) throw badAnnotation(key, text);
  return fields.map(Number);
}

function storedPart(numbers: readonly number[], blobBytes: number, key: string, text: string): StoredPart {
  const [start = 0, length = 0, uncompressedBytes = 0] = numbers;
  if (length === 0 || start + length > blobBytes) throw badAnnotation(key, text);
  return { start, end: start + length, uncompressedBytes };
}

function badAnnotation(key: string, text: string) {
  return corrupt(`Cannot read layer annotations: ${key} is "${text.slice(0, 160)}"`);
}
