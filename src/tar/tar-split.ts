/**
 * tar-split: a tar stream without the bodies of its files, as lines of JSON (github.com/vbatts/tar-split, package
 * storage; spec/chunked-and-policy.md 1.5). With the bodies put back it is the stream, byte for byte.
 */
import { type ByteString, byteString, byteStringOfText, toHex } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";

/** One line; the longest hold 1 MiB of a stream's end, or all extension headers of an entry, in base64. */
export const TAR_SPLIT_LINE_MAX_BYTES = 8 << 20;

/** Type 2: bytes of the stream. Views stay valid. */
export interface TarSplitBytes {
  readonly type: "bytes";
  readonly bytes: Uint8Array;
}

/** Type 1: the place of a body; there is one for each entry of the tar, also for those that have none. */
export interface TarSplitFile {
  readonly type: "file";
  /** As in the tar, such as `./etc/` or `usr/bin/env`. */
  readonly name: ByteString;
  readonly sizeBytes: number;
  /** CRC-64 of the body, 16 hexadecimal digits; undefined when there is no body. */
  readonly crc64: string | undefined;
}

export type TarSplitEntry = TarSplitBytes | TarSplitFile;

/**
 * Reads the lines, decompressed, in pieces of any size.
 * @throws SealrootError `corrupt` with the line's number, `unsupported` for a line over {@link TAR_SPLIT_LINE_MAX_BYTES}
 */
export async function* readTarSplit(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<TarSplitEntry> {
  let lineNumber = 0;
  for await (const line of linesOf(pieces)) yield parseLine(line, ++lineNumber);
}

async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const gathered: Buffer[] = [];
  let gatheredBytes = 0;
  const gather = (part: Buffer) => {
    gatheredBytes += part.length;
    if (gatheredBytes > TAR_SPLIT_LINE_MAX_BYTES) {
      throw new SealrootError(
        "unsupported",
        `Cannot read tar-split data: a line exceeds ${TAR_SPLIT_LINE_MAX_BYTES} bytes`,
      );
    }
    gathered.push(part);
  };
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
      gather(bytes.subarray(start, end));
      yield gathered.length === 1 ? bytes.subarray(start, end) : Buffer.concat(gathered);
      gathered.length = 0;
      gatheredBytes = 0;
      start = end + 1;
    }
    // Copied, as the piece may be reused by whoever made it.
    if (start < bytes.length) gather(Buffer.from(bytes.subarray(start)));
  }
  if (gatheredBytes > 0) yield Buffer.concat(gathered);
}

function parseLine(line: Buffer, lineNumber: number): TarSplitEntry {
  const refuse = (reason: string, cause?: unknown): SealrootError =>
    new SealrootError(
      "corrupt",
      `Cannot read tar-split data: line ${lineNumber}: ${reason}`,
      { line: lineNumber },
      cause,
    );
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch (error) {
    throw refuse("it is not JSON", error);
  }
  if (typeof fields !== "object" || fields === null) throw refuse("it is not an object");
  const { type, payload, name, name_raw: rawName, size = 0 } = fields as Readonly<Record<string, unknown>>;
  if (type === 2) {
    const bytes = decodeBase64(payload);
    if (bytes === undefined) throw refuse("its payload is not base64");
    return { type: "bytes", bytes };
  }
  if (type !== 1) throw refuse("its type is neither 1 nor 2");
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw refuse("its size is not a size");
  const decodedName = decodeName(name, rawName);
  if (decodedName === undefined) throw refuse("it has no name");
  if (size === 0) return { type: "file", name: decodedName, sizeBytes: 0, crc64: undefined };
  const checksum = decodeBase64(payload);
  if (checksum?.length !== 8) throw refuse("its checksum is not eight bytes of base64");
  return { type: "file", name: decodedName, sizeBytes: size, crc64: toHex(checksum) };
}

/** `name_raw` stands where the name is not UTF-8. */
function decodeName(name: unknown, rawName: unknown): ByteString | undefined {
  if (rawName !== undefined && rawName !== null) {
    const raw = decodeBase64(rawName);
    return raw === undefined || raw.length === 0 ? undefined : byteString(raw);
  }
  if (typeof name !== "string" || name === "" || !name.isWellFormed()) return undefined;
  return byteStringOfText(name);
}

/** Standard base64 with its padding (RFC 4648, section 4); undefined for anything else. */
function decodeBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string") return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}
