/** Which bytes of a blob an answer holds: all, one range, or several (RFC 9110 sections 14.4, 14.6 and 15.3.7). */
import { SealrootError } from "../errors/index.ts";
import { type ByteRange, sizeMismatch } from "../oci/index.ts";
import { ByteStream } from "./byte-stream.ts";
import { parseContentRange } from "./content-range.ts";
import type { HttpResponse } from "./http-response.ts";

export interface PositionedBytes {
  /** Of the first byte, from the beginning of the blob. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const PARTIAL_CONTENT = 206;
/** Lines before the first boundary; there should be none (RFC 2046 section 5.1.1). */
const PREAMBLE_LINES_MAX = 16;
const HEADER_LINES_MAX = 64;

/**
 * The bytes of an answer with status 200 or 206, with their places. The answer may end early: the caller then knows
 * what is missing.
 *
 * @param blobBytes the length the whole blob must have
 * @throws SealrootError `corrupt` when the answer is longer than it says, or its length or ranges do not fit such a
 *   blob
 */
export async function* positionedBytes(response: HttpResponse, blobBytes: number): AsyncGenerator<PositionedBytes> {
  if (response.status !== PARTIAL_CONTENT) {
    const length = response.headers["content-length"];
    if (length !== undefined && Number(length) !== blobBytes) {
      throw sizeMismatch(`from ${response.url.host}`, blobBytes, Number(length));
    }
    yield* placed(response.body(), { start: 0, end: blobBytes });
    return;
  }
  const boundary = multipartBoundary(response.headers["content-type"] ?? "");
  if (boundary !== undefined) yield* partsOf(response, boundary, blobBytes);
  else yield* placed(response.body(), parseContentRange(response.headers["content-range"], blobBytes));
}

async function* placed(parts: AsyncIterable<Uint8Array>, { start, end }: ByteRange): AsyncGenerator<PositionedBytes> {
  let offset = start;
  for await (const bytes of parts) {
    if (offset + bytes.length > end) {
      throw new SealrootError(
        "corrupt",
        `Cannot accept blob: the answer has more than the ${end - start} bytes it says`,
      );
    }
    yield { offset, bytes };
    offset += bytes.length;
  }
}

/** Undefined for another type. Some servers omit the quotes that a boundary with a colon needs. */
function multipartBoundary(contentType: string): string | undefined {
  if (!/^\s*multipart\/byteranges\b/i.test(contentType)) return undefined;
  const match = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/i.exec(contentType);
  return match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2];
}

/** Every part says how long it is, so its bytes need not be searched for the boundary. */
async function* partsOf(response: HttpResponse, boundary: string, blobBytes: number): AsyncGenerator<PositionedBytes> {
  const body = response.body();
  try {
    const stream = new ByteStream(body);
    for (let found = await firstBoundary(stream, boundary); found; found = await nextBoundary(stream, boundary)) {
      const range = await partRange(stream, blobBytes);
      if (range === undefined) return;
      yield* placed(stream.bytes(range.end - range.start), range);
    }
  } finally {
    await body.return(undefined);
  }
}

/** True if a part follows, false if the body ends here. */
async function firstBoundary(stream: ByteStream, boundary: string): Promise<boolean> {
  for (let lines = 0; lines < PREAMBLE_LINES_MAX; lines++) {
    const line = await stream.line();
    if (line === undefined || line === `--${boundary}--`) return false;
    if (line.trimEnd() === `--${boundary}`) return true;
  }
  throw noBoundary();
}

/** After a part: the line feed that belongs to the boundary, then the boundary. */
async function nextBoundary(stream: ByteStream, boundary: string): Promise<boolean> {
  const empty = await stream.line();
  const line = await stream.line();
  if (line === undefined || (empty === "" && line.trimEnd() === `--${boundary}--`)) return false;
  if (empty === "" && line.trimEnd() === `--${boundary}`) return true;
  throw noBoundary();
}

async function partRange(stream: ByteStream, blobBytes: number): Promise<ByteRange | undefined> {
  let header: string | undefined;
  for (let lines = 0; lines < HEADER_LINES_MAX; lines++) {
    const line = await stream.line();
    if (line === undefined) return undefined;
    if (line === "") return parseContentRange(header, blobBytes);
    header = /^content-range\s*:\s*(.*)$/i.exec(line)?.[1] ?? header;
  }
  throw new SealrootError("corrupt", "Cannot read part of a blob: its headers do not end");
}

function noBoundary(): SealrootError {
  return new SealrootError("corrupt", "Cannot read part of a blob: the boundary between two parts is missing");
}
