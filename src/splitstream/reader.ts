/** Reading a split stream. */
import { toHex } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { decompress, unzstdWhole } from "../zstd/index.ts";
import { ChunkDecoder } from "./chunks.ts";
import { ID_BYTES, type Range, readHead, type StreamAlgorithm } from "./header.ts";

/** Decompressed size of all named references; a name takes about a hundred bytes. */
const NAMED_REFS_MAX_BYTES = 16 << 20;

/** A split stream with its tables parsed; the chunks are still compressed. */
export interface SplitStream {
  readonly algorithm: StreamAlgorithm;
  /** Eight characters, such as `ocilayer`. */
  readonly contentType: string;
  /** Length of the reassembled stream. */
  readonly sizeBytes: number;
  /** Ids of the objects that chunks refer to, each once. */
  readonly objectRefs: readonly string[];
  /** Ids of the streams and images that names refer to, each once. */
  readonly streamRefs: readonly string[];
  /** Names to ids, in the order of the file. */
  readonly namedRefs: ReadonlyMap<string, string>;
  /** The compressed chunk sequence. */
  readonly compressedChunks: Uint8Array;
}

/**
 * Reads header and tables of a split stream object.
 *
 * @param expected.algorithm the repository's; another one is refused
 * @param expected.contentType the wanted content type; another one is refused
 * @throws SealrootError `corrupt`, `unsupported` (see readHead), or `conflict` with what was expected
 */
export function readSplitStream(
  bytes: Uint8Array,
  expected: { readonly algorithm?: StreamAlgorithm; readonly contentType?: string } = {},
): SplitStream {
  const head = readHead(bytes);
  refuseOther("hash algorithm", head.algorithm, expected.algorithm);
  refuseOther("content type", head.contentType, expected.contentType);
  const section = (range: Range) => bytes.subarray(range.start, range.end);
  const streamRefs = readIds(section(head.streamRefs), ID_BYTES[head.algorithm]);
  return {
    algorithm: head.algorithm,
    contentType: head.contentType,
    sizeBytes: head.sizeBytes,
    objectRefs: readIds(section(head.objectRefs), ID_BYTES[head.algorithm]),
    streamRefs,
    namedRefs: readNamedRefs(section(head.namedRefs), streamRefs),
    compressedChunks: section(head.stream),
  };
}

function refuseOther(what: string, actual: string, expected: string | undefined): void {
  if (expected === undefined || actual === expected) return;
  const shown = JSON.stringify(actual);
  throw new SealrootError("conflict", `Cannot read split stream: ${what} is ${shown}, expected "${expected}"`, {
    expected,
    actual,
  });
}

function readIds(section: Uint8Array, idBytes: number): string[] {
  if (section.length % idBytes !== 0) {
    throw corrupt(`Cannot read split stream: ${section.length} bytes of references are not whole ids`);
  }
  const ids: string[] = [];
  for (let at = 0; at < section.length; at += idBytes) ids.push(toHex(section.subarray(at, at + idBytes)));
  return ids;
}

function readNamedRefs(section: Uint8Array, streamRefs: readonly string[]): Map<string, string> {
  const refs = new Map<string, string>();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      unzstdWhole(section, NAMED_REFS_MAX_BYTES),
    );
  } catch (error) {
    throw error instanceof SealrootError ? error : corrupt("Cannot read split stream: a name is not UTF-8");
  }
  const records = text.split("\0");
  if (records.pop() !== "") throw corrupt("Cannot read split stream: the last named reference does not end");
  for (const record of records) {
    const colon = record.indexOf(":");
    const index = record.slice(0, Math.max(colon, 0));
    const id = /^\d{1,9}$/.test(index) ? streamRefs[Number(index)] : undefined;
    if (id === undefined)
      throw corrupt(`Cannot read split stream: named reference ${JSON.stringify(record)} leads nowhere`);
    refs.set(record.slice(colon + 1), id);
  }
  return refs;
}

/** Receives the parts of a stream in order. */
export interface StreamVisitor {
  /** Bytes of the stream; the view is valid only during the call. */
  inline(bytes: Uint8Array): void;
  /** This whole object is here. */
  external(objectId: string): void;
}

/**
 * Decompresses and walks the chunks. Any frames are accepted, whatever compressed them.
 * @throws SealrootError `corrupt` for a bad chunk, a reference past the table, or bad compressed data
 */
export async function readChunks(stream: SplitStream, visitor: StreamVisitor): Promise<void> {
  for await (const _ of decodeChunks(stream, visitor));
}

/** A part of a stream: bytes that are valid until the next part is requested, or a whole object. */
export type StreamPart = { readonly inline: Uint8Array } | { readonly objectId: string };

/**
 * The parts of a stream in order. However much a small stream expands to, only one piece of the decompressor is in
 * memory.
 * @throws SealrootError as {@link readChunks}
 */
export async function* streamParts(stream: SplitStream): AsyncGenerator<StreamPart> {
  const parts: StreamPart[] = [];
  const visitor: StreamVisitor = {
    inline: (inline) => parts.push({ inline }),
    external: (objectId) => parts.push({ objectId }),
  };
  for await (const _ of decodeChunks(stream, visitor)) yield* parts.splice(0);
}

/** Pauses after each decompressed piece, while its parts are valid. */
async function* decodeChunks(stream: SplitStream, visitor: StreamVisitor): AsyncGenerator<void> {
  const decoder = new ChunkDecoder({
    inline: (bytes) => visitor.inline(bytes),
    external: (index) => {
      const id = stream.objectRefs[index];
      if (id === undefined)
        throw corrupt(`Cannot read split stream: chunk refers to object ${index} of ${stream.objectRefs.length}`);
      visitor.external(id);
    },
  });
  async function* compressed() {
    yield stream.compressedChunks;
  }
  for await (const piece of decompress(compressed(), "zstd")) {
    decoder.push(piece);
    yield;
  }
  decoder.finish();
}
