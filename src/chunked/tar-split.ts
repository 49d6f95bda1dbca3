/**
 * tar-split data: everything in a tar except the bodies of its files, as lines of JSON (spec/chunked-and-policy.md
 * 1.5).
 */
import * as v from "valibot";
import { type ByteString, byteString, byteStringOfText, bytesOf } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";

/** What one line stands for. */
export type TarSplitEntry =
  /** Bytes of the tar: headers, padding, what follows the last entry. */
  | { readonly type: "bytes"; readonly bytes: Uint8Array }
  /** An entry's body: a file's content, nothing for all others. */
  | {
      readonly type: "body";
      readonly name: ByteString;
      readonly sizeBytes: number;
      /** CRC-64/ISO of the body; absent for an empty one. */
      readonly checksum: Uint8Array | undefined;
    };

const BODY_LINE = 1;
const BYTES_LINE = 2;
const NEWLINE = 0x0a;
/**
 * Longest line that is read. A line has the headers of one entry, of which our tar reader accepts 16 MiB, or part of
 * what follows the end; base64 adds a third.
 */
const LINE_MAX_BYTES = 24 << 20;

const base64 = v.pipe(
  v.string(),
  v.transform((text) => ({ text, bytes: Buffer.from(text, "base64") })),
  v.check(({ text, bytes }) => bytes.toString("base64") === text, "is not base64"),
  v.transform(({ bytes }) => bytes),
);

const lineSchema = v.variant("type", [
  v.object({ type: v.literal(BYTES_LINE), payload: v.optional(base64, "") }),
  v.object({
    type: v.literal(BODY_LINE),
    name: v.optional(v.string()),
    name_raw: v.optional(base64),
    size: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0),
    payload: v.nullish(base64),
  }),
]);

/**
 * Reads the lines one by one.
 * @param pieces the uncompressed data in pieces of any size
 * @throws SealrootError `corrupt` for a line of neither kind, or too long
 */
export async function* readTarSplit(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<TarSplitEntry> {
  let number = 0;
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of pieces) {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, start)) {
      yield readLine(
        begun.length === 0 ? piece.subarray(start, end) : joined(begun, piece.subarray(start, end)),
        ++number,
      );
      begun = [];
      begunBytes = 0;
      start = end + 1;
    }
    begunBytes += piece.length - start;
    if (begunBytes > LINE_MAX_BYTES) throw badLine(number + 1, `it is longer than ${LINE_MAX_BYTES} bytes`);
    if (start < piece.length) begun.push(piece.subarray(start));
  }
  if (begunBytes > 0) yield readLine(joined(begun, new Uint8Array(0)), number + 1);
}

function joined(begun: readonly Uint8Array[], rest: Uint8Array): Uint8Array {
  return Buffer.concat([...begun, rest]);
}

function readLine(line: Uint8Array, number: number): TarSplitEntry {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    throw badLine(number, "it is not JSON");
  }
  const result = v.safeParse(lineSchema, json);
  if (!result.success) throw badLine(number, result.issues[0].message);
  const parsed = result.output;
  if (parsed.type === BYTES_LINE) return { type: "bytes", bytes: parsed.payload };
  const name = parsed.name_raw === undefined ? byteStringOfText(parsed.name ?? "") : byteString(parsed.name_raw);
  if (name === "") throw badLine(number, "its entry has no name");
  return { type: "body", name, sizeBytes: parsed.size, checksum: parsed.payload ?? undefined };
}

function badLine(line: number, reason: string) {
  return corrupt(`Cannot read tar-split data: line ${line}: ${reason}`, { line });
}

/** Writes the lines as the reference does. */
export class TarSplitWriter {
  readonly #write: (line: Uint8Array) => void;
  #position = 0;

  /** @param write takes ownership of each line, including its newline */
  constructor(write: (line: Uint8Array) => void) {
    this.#write = write;
  }

  bytes(payload: Uint8Array): void {
    this.#line({ type: BYTES_LINE, payload: Buffer.from(payload).toString("base64") });
  }

  /** @param checksum CRC-64/ISO; undefined for an entry without a body */
  body(name: ByteString, sizeBytes: number, checksum: Uint8Array | undefined): void {
    const raw = Buffer.from(bytesOf(name));
    const text = raw.toString("utf8");
    this.#line({
      type: BODY_LINE,
      ...(Buffer.from(text, "utf8").equals(raw) ? { name: text } : { name_raw: raw.toString("base64") }),
      ...(sizeBytes === 0 ? {} : { size: sizeBytes }),
      payload: checksum === undefined ? null : Buffer.from(checksum).toString("base64"),
    });
  }

  #line(value: object): void {
    this.#write(Buffer.from(`${JSON.stringify({ ...value, position: this.#position++ })}\n`, "utf8"));
  }
}
