/** Reading a table of contents strictly (spec/chunked-and-policy.md 1.3). */
import * as v from "valibot";
import { type ByteString, byteStringOfText } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { isSha256 } from "./annotations.ts";
import { TOC_TYPE_OF_KIND, type Toc, type TocChunk, type TocContent, type TocEntry, type TocKind } from "./toc.ts";
import { readTocTime } from "./toc-time.ts";

/** Larger tables, compressed or not, are ignored and the layer is fetched whole (spec 1.2). */
export const TOC_MAX_BYTES = 150 << 20;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const digest = v.pipe(v.string(), v.check(isSha256, "is not sha256:<hex>"));
const HOLE = "zeros";

const entrySchema = v.object({
  type: v.picklist([...Object.values(TOC_TYPE_OF_KIND), "chunk"]),
  name: v.pipe(v.string(), v.nonEmpty()),
  linkName: v.optional(v.string(), ""),
  mode: v.optional(count, 0),
  size: v.optional(count, 0),
  uid: v.optional(count, 0),
  gid: v.optional(count, 0),
  modtime: v.optional(v.string()),
  accesstime: v.optional(v.string()),
  changetime: v.optional(v.string()),
  devMajor: v.optional(count, 0),
  devMinor: v.optional(count, 0),
  xattrs: v.optional(v.record(v.string(), v.string()), {}),
  digest: v.optional(digest),
  offset: v.optional(count, 0),
  endOffset: v.optional(count, 0),
  chunkSize: v.optional(count, 0),
  chunkOffset: v.optional(count, 0),
  chunkDigest: v.optional(digest),
  chunkType: v.optional(v.picklist(["", HOLE]), ""),
});
// Unknown fields are ignored, and the version too, as in the reference.
const tocSchema = v.object({ entries: v.array(v.unknown()), tarSplitDigest: v.optional(digest) });

type JsonEntry = v.InferOutput<typeof entrySchema>;

const KIND_OF_TYPE = new Map(Object.entries(TOC_TYPE_OF_KIND).map(([kind, type]) => [type as string, kind as TocKind]));

/**
 * Reads the uncompressed table.
 *
 * @param json its bytes, one JSON document and nothing else
 * @param dataEnd where the data frames end at the latest; all chunks must be before it
 * @throws SealrootError `corrupt` when it is not such a table, or a file's chunks do not add up to it
 */
export function readToc(json: Uint8Array, dataEnd: number): Toc {
  const { entries: items, tarSplitDigest } = parse(tocSchema, parseJson(json), "the table");
  const entries: TocEntry[] = [];
  for (let index = 0; index < items.length; ) {
    const first = readEntry(items[index], index);
    if (first.type === "chunk") throw badEntry(first.name, "a chunk that does not follow a file");
    index += 1;
    const rest: JsonEntry[] = [];
    for (; isChunk(items[index]); index++) rest.push(readEntry(items[index], index));
    entries.push(tocEntry(first, rest, dataEnd));
  }
  return { entries, tarSplitDigest };
}

function parseJson(json: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json));
  } catch {
    throw corrupt("Cannot read table of contents: it is not JSON");
  }
}

function parse<S extends v.GenericSchema>(schema: S, json: unknown, where: string): v.InferOutput<S> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue);
  throw corrupt(
    `Cannot read table of contents: ${where}${field === null ? "" : `: ${field.slice(0, 80)}`}: ${issue.message}`,
  );
}

function readEntry(item: unknown, index: number): JsonEntry {
  return parse(entrySchema, item, `entry ${index}`);
}

function isChunk(item: unknown): boolean {
  return typeof item === "object" && item !== null && "type" in item && item.type === "chunk";
}

function tocEntry(json: JsonEntry, rest: readonly JsonEntry[], dataEnd: number): TocEntry {
  const kind = KIND_OF_TYPE.get(json.type) ?? "file";
  const isFile = kind === "file";
  if (!isFile && rest.length > 0) throw badEntry(json.name, "chunks of something that is not a file");
  const linkName = byteStringOfText(json.linkName);
  return {
    kind,
    name: byteStringOfText(json.name),
    linkPath: linkName === "" ? undefined : linkName,
    mode: json.mode,
    uid: json.uid,
    gid: json.gid,
    sizeBytes: json.size,
    modificationTimeNs: readTocTime(json.modtime),
    accessTimeNs: readTocTime(json.accesstime),
    changeTimeNs: readTocTime(json.changetime),
    xattrs: readXattrs(json),
    device: { major: json.devMajor, minor: json.devMinor },
    content: isFile && json.size > 0 ? readContent(json, rest, dataEnd) : undefined,
  };
}

function readXattrs(json: JsonEntry): Map<ByteString, Uint8Array> {
  return new Map(
    Object.entries(json.xattrs).map(([name, text]) => {
      const value = Buffer.from(text, "base64");
      if (value.toString("base64") !== text) throw badEntry(json.name, "an attribute that is not base64");
      return [byteStringOfText(name), value] as const;
    }),
  );
}

function readContent(json: JsonEntry, rest: readonly JsonEntry[], dataEnd: number): TocContent {
  const refuse = (reason: string) => badEntry(json.name, reason);
  if (json.digest === undefined) throw refuse("a file without a digest");
  const parts = [json, ...rest];
  const chunks: TocChunk[] = [];
  let sizeBytes = 0;
  for (const [index, part] of parts.entries()) {
    if (part.name !== json.name) throw refuse("chunks of another file after it");
    // A file of one chunk has no chunkSize, and some writers omit it in the last chunk (spec 1.10).
    const chunkBytes = part.chunkSize === 0 && index === rest.length ? json.size - sizeBytes : part.chunkSize;
    const end = parts[index + 1]?.offset ?? json.endOffset;
    if (part.chunkOffset !== sizeBytes || chunkBytes <= 0) throw refuse("chunks that do not follow each other");
    if (end <= part.offset || end > dataEnd) throw refuse(`a range ${part.offset}..${end} in the blob`);
    sizeBytes += chunkBytes;
    const isHole = part.chunkType === HOLE;
    chunks.push({ start: part.offset, end, sizeBytes: chunkBytes, digest: part.chunkDigest, isHole });
  }
  if (sizeBytes !== json.size) throw refuse(`chunks of ${sizeBytes} bytes for a file of ${json.size}`);
  return { digest: json.digest, chunks };
}

function badEntry(name: string, reason: string) {
  return corrupt(`Cannot read table of contents: ${reason}`, { path: name.slice(0, 4096) });
}
