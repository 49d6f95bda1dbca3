/** gzip streams with the deflate data left to a library: all members, with zlib's rules about what stands around them. */
import { corrupt } from "../errors/index.ts";
import type { Inflater } from "../primitives/index.ts";
import { badGzip, DAMAGED_STREAM, passMemberHead, passMemberTail, UNEXPECTED_END } from "./gzip-member.ts";
import type { OutputPieces } from "./output-pieces.ts";
import { PieceCursor } from "./piece-cursor.ts";

/**
 * A member's first bytes are inflated in this thread: of a million members without content each would otherwise go to another
 * thread and back.
 */
const FIRST_BYTES = 4096;

/**
 * Decompresses all members; only zeros may follow the last one.
 *
 * @param output gives the memory: a piece is yielded when it is full, or at the end
 * @throws SealrootError `corrupt`; what `source` throws passes through
 */
export async function* gunzipMembers(
  source: AsyncIterator<Uint8Array>,
  inflater: Inflater,
  output: OutputPieces,
): AsyncGenerator<Uint8Array> {
  const cursor = new PieceCursor(source);
  try {
    do {
      await passMemberHead(cursor);
      yield* inflateMember(cursor, inflater, output);
    } while ((await cursor.more()) && cursor.rest[0] !== 0);
    await requireZeros(cursor);
    const last = output.take();
    if (last.length > 0) yield last;
  } finally {
    await source.return?.();
  }
}

async function* inflateMember(
  cursor: PieceCursor,
  inflater: Inflater,
  output: OutputPieces,
): AsyncGenerator<Uint8Array> {
  inflater.begin();
  let sizeBytes = 0;
  let wasFull = false;
  for (let inputBytes = FIRST_BYTES; ; inputBytes = Number.POSITIVE_INFINITY) {
    // Without room for output all input can be read, and the end still be to come out.
    if (!wasFull && !(await cursor.more())) throw badGzip(UNEXPECTED_END);
    const { readBytes, writtenBytes, state } = await inflater.inflate(cursor.rest.subarray(0, inputBytes), output.room);
    cursor.skip(readBytes);
    output.fill(writtenBytes);
    sizeBytes += writtenBytes;
    if (state === "damaged") throw badGzip(DAMAGED_STREAM);
    wasFull = output.isFull;
    if (wasFull) yield output.take();
    if (state === "end") break;
  }
  cursor.putBack(inflater.unused);
  await passMemberTail(cursor, inflater.crc32, sizeBytes);
}

/** Tape padding. @throws SealrootError `corrupt` with the offset of the first zero if anything else follows */
async function requireZeros(cursor: PieceCursor): Promise<void> {
  const offset = cursor.readBytes;
  while (await cursor.more()) {
    const { rest } = cursor;
    if (!rest.every((byte) => byte === 0)) throw afterTheZeros(offset);
    cursor.skip(rest.length);
  }
}

/** The refusal of what zlib would pass over: it stops at the first zero after a member, and ignores even further members. */
export function afterTheZeros(offset: number) {
  return corrupt("Cannot decompress gzip data: something follows the zeros after the last member", { offset });
}
