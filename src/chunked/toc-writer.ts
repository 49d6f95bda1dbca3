/**
 * Writing a table of contents: one encoding for everything, fields in the reference's order (spec/chunked-and-policy.md
 * 1.3).
 */
import { type ByteString, bytesOf } from "../bytes/index.ts";
import { TOC_TYPE_OF_KIND, type Toc, type TocEntry } from "./toc.ts";
import { formatTocTime } from "./toc-time.ts";

const VERSION = 1;

/**
 * The uncompressed JSON of a table; undefined for entries it cannot express: names, targets or attribute names that are
 * not UTF-8, and times outside the years 0 to 9999.
 */
export function formatToc(toc: Toc): Uint8Array | undefined {
  const parts: string[] = [];
  for (const entry of toc.entries) {
    const items = formatEntry(entry);
    if (items === undefined) return undefined;
    for (const item of items) parts.push(JSON.stringify(item));
  }
  const tarSplit = toc.tarSplitDigest === undefined ? "" : `,"tarSplitDigest":"${toc.tarSplitDigest}"`;
  return Buffer.from(`{"version":${VERSION},"entries":[${parts.join(",")}]${tarSplit}}`, "utf8");
}

/** One item, or several for a file of several chunks. */
function formatEntry(entry: TocEntry): object[] | undefined {
  const header = formatHeader(entry);
  if (header === undefined) return undefined;
  const { content } = entry;
  if (content === undefined) return [header];
  const { chunks, digest } = content;
  const isCut = chunks.length > 1;
  let chunkOffset = 0;
  return chunks.map((chunk, index) => {
    const place = {
      offset: chunk.start,
      ...(index === 0 ? { endOffset: chunks.at(-1)?.end } : {}),
      ...(isCut ? { chunkSize: chunk.sizeBytes } : {}),
      ...withoutZero({ chunkOffset }),
      ...(isCut ? { chunkDigest: chunk.digest } : {}),
      ...(isCut && chunk.isHole ? { chunkType: "zeros" } : {}),
    };
    chunkOffset += chunk.sizeBytes;
    return index === 0 ? { ...header, digest, ...place } : { type: "chunk", name: header.name, ...place };
  });
}

/** Zero and empty values are omitted. */
function formatHeader(entry: TocEntry): { readonly type: string; readonly name: string } | undefined {
  const name = utf8(entry.name);
  const linkName = utf8(entry.linkPath ?? ("" as ByteString));
  const xattrs = formatXattrs(entry.xattrs);
  const times = formatTimes(entry);
  if (name === undefined || linkName === undefined || xattrs === undefined || times === undefined) return undefined;
  return {
    type: TOC_TYPE_OF_KIND[entry.kind],
    name,
    ...(linkName === "" ? {} : { linkName }),
    ...withoutZero({ mode: entry.mode, size: entry.sizeBytes, uid: entry.uid, gid: entry.gid }),
    ...times,
    ...withoutZero({ devMajor: entry.device.major, devMinor: entry.device.minor }),
    ...(entry.xattrs.size === 0 ? {} : { xattrs }),
  };
}

function withoutZero(fields: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0));
}

function formatTimes(entry: TocEntry): Record<string, string> | undefined {
  const times: Record<string, string> = {};
  const { modificationTimeNs: modtime, accessTimeNs: accesstime, changeTimeNs: changetime } = entry;
  for (const [key, timeNs] of Object.entries({ modtime, accesstime, changetime })) {
    if (timeNs === undefined) continue;
    const text = formatTocTime(timeNs);
    if (text === undefined) return undefined;
    times[key] = text;
  }
  return times;
}

function formatXattrs(xattrs: ReadonlyMap<ByteString, Uint8Array>): Record<string, string> | undefined {
  const sorted = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
  const formatted = sorted.map(([name, value]) => [utf8(name), Buffer.from(value).toString("base64")] as const);
  // A key of digits would move to the front, and __proto__ vanish: Object.fromEntries defines properties, and order is
  // free.
  return formatted.some(([name]) => name === undefined) ? undefined : Object.fromEntries(formatted);
}

/** The text, or undefined when the bytes are not UTF-8. */
function utf8(string: ByteString): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesOf(string));
  } catch {
    return undefined;
  }
}
