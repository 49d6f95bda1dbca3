/** Split streams, written from their description alone (spec/repository.md 4): nothing of src/splitstream is used. */
import { zstdCompressSync } from "node:zlib";

/** A piece of the stream: bytes of its own, or a whole object. */
export type Piece = Uint8Array | { readonly objectId: string; readonly sizeBytes: number };

export interface StreamParts {
  /** Eight characters. */
  readonly contentType: string;
  readonly pieces: readonly Piece[];
  /** Names and the objects that they mean. */
  readonly names?: ReadonlyMap<string, string>;
  /** The order of fields that bootc had up to 1.15. */
  readonly oldHeader?: boolean;
}

const HEADER_BYTES = 32;
const INFO_BYTES = 80;
const SHA512 = 2;
const LOG_BLOCK_BYTES = 12;

export function splitStream({ contentType, pieces, names = new Map(), oldHeader = false }: StreamParts): Buffer {
  const streams = [...new Set(names.values())];
  const objects = [...new Set(pieces.flatMap((piece) => ("objectId" in piece ? [piece.objectId] : [])))];
  const records = [...names]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, id]) => `${streams.indexOf(id)}:${name}\0`);
  const sections = {
    streams: Buffer.from(streams.join(""), "hex"),
    objects: Buffer.from(objects.join(""), "hex"),
    names: zstdCompressSync(Buffer.from(records.join(""))),
    stream: zstdCompressSync(chunks(pieces, objects)),
  };
  const info = Buffer.alloc(INFO_BYTES);
  let at = HEADER_BYTES + INFO_BYTES;
  const range = (section: Buffer, offset: number) => {
    info.writeBigUInt64LE(BigInt(at), offset);
    at += section.length;
    info.writeBigUInt64LE(BigInt(at), offset + 8);
  };
  range(sections.streams, 0);
  range(sections.objects, 16);
  range(sections.names, 48);
  range(sections.stream, 32);
  info.write(contentType, 64, "latin1");
  const size = pieces.reduce((sum, piece) => sum + ("objectId" in piece ? piece.sizeBytes : piece.length), 0);
  info.writeBigUInt64LE(BigInt(size), 72);
  const { streams: first, objects: second, names: third, stream: last } = sections;
  return Buffer.concat([header(oldHeader), info, first, second, third, last]);
}

function header(isOld: boolean): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write("SplitStream", isOld ? 18 : 0, "latin1");
  bytes.writeUInt8(SHA512, isOld ? 30 : 14);
  bytes.writeUInt8(LOG_BLOCK_BYTES, isOld ? 31 : 15);
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES), isOld ? 0 : 16);
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES + INFO_BYTES), isOld ? 8 : 24);
  return bytes;
}

function chunks(pieces: readonly Piece[], objects: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  let inline: Uint8Array[] = [];
  const number = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  };
  const flush = () => {
    const bytes = Buffer.concat(inline);
    if (bytes.length > 0) parts.push(number(-bytes.length), bytes);
    inline = [];
  };
  for (const piece of pieces) {
    if (!("objectId" in piece)) inline.push(piece);
    else {
      flush();
      parts.push(number(objects.indexOf(piece.objectId)));
    }
  }
  flush();
  return Buffer.concat(parts);
}
