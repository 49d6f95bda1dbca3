/** Whether a table of contents and tar-split data describe the same tar (spec/chunked-and-policy.md 1.6, step 4). */
import type { ByteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type TarEntry, TarParser } from "../tar/index.ts";
import type { TarSplitEntry } from "./tar-split.ts";
import { modificationTimeNs, type Toc, type TocEntry } from "./toc.ts";
import { reasonAgainst } from "./toc-recorder.ts";
import { meaningfulTime } from "./toc-time.ts";

/**
 * Compares every entry, in any order. The diff id would not show a difference: it covers only the tar's headers.
 *
 * @throws SealrootError `corrupt` naming the first difference, also for tar-split data that are not a tar;
 *   `unsupported` for an entry that other readers interpret differently, so that table and tar may differ legitimately
 */
export async function checkAgainstTarSplit(
  toc: Toc,
  tarSplit: AsyncIterable<TarSplitEntry> | Iterable<TarSplitEntry>,
): Promise<void> {
  const missing = indexByName(toc);
  let last: TarEntry | undefined;
  const parser = new TarParser(
    {
      inline: () => {},
      body: () => {},
      entry: (entry, body) => {
        if (body.type === "streamed") throw differs(entry.path, "its body is among the headers");
        const reason = reasonAgainst(entry);
        if (reason !== undefined) {
          throw new SealrootError("unsupported", `Cannot use table of contents: ${reason}`, { path: entry.path });
        }
        last = entry;
        const expected = missing.get(entry.path);
        if (expected === undefined) throw differs(entry.path, "the table does not have it, or has it once");
        missing.delete(entry.path);
        const field = firstDifference(expected, entry);
        if (field !== undefined) throw differs(entry.path, `they name another ${field}`);
      },
    },
    0,
  );
  for await (const part of tarSplit) {
    if (part.type === "bytes") parser.push(part.bytes);
    else if (part.sizeBytes > 0) {
      parser.pushExternal("");
      if (last?.path !== part.name || last.sizeBytes !== part.sizeBytes) {
        throw differs(part.name, "its body follows another entry's header");
      }
    }
  }
  parser.finish();
  const [left] = missing.keys();
  if (left !== undefined) throw differs(left, "the tar does not have it");
}

function indexByName(toc: Toc): Map<ByteString, TocEntry> {
  const entries = new Map<ByteString, TocEntry>();
  for (const entry of toc.entries) {
    if (entries.has(entry.name)) throw differs(entry.name, "the table has it twice");
    entries.set(entry.name, entry);
  }
  return entries;
}

function firstDifference(toc: TocEntry, tar: TarEntry): string | undefined {
  const isLink = tar.kind === "hardlink" || tar.kind === "symlink";
  const device = tar.device ?? { major: 0, minor: 0 };
  const equal: Readonly<Record<string, boolean>> = {
    type: toc.kind === tar.kind,
    "link target": toc.linkPath === (isLink ? tar.linkPath : undefined),
    mode: toc.mode === tar.mode,
    owner: toc.uid === tar.uid && toc.gid === tar.gid,
    // For entries without a body, the table repeats the tar's size field.
    size: tar.kind !== "file" || toc.sizeBytes === tar.sizeBytes,
    "modification time": toc.modificationTimeNs === meaningfulTime(modificationTimeNs(tar)),
    "access time": toc.accessTimeNs === meaningfulTime(tar.accessTimeNs),
    "change time": toc.changeTimeNs === meaningfulTime(tar.changeTimeNs),
    device: toc.device.major === device.major && toc.device.minor === device.minor,
    "set of extended attributes": sameXattrs(toc.xattrs, tar.xattrs),
  };
  return Object.keys(equal).find((field) => equal[field] === false);
}

function sameXattrs(a: ReadonlyMap<ByteString, Uint8Array>, b: ReadonlyMap<ByteString, Uint8Array>): boolean {
  const isInOther = ([name, value]: readonly [ByteString, Uint8Array]) => {
    const other = b.get(name);
    return other !== undefined && Buffer.compare(value, other) === 0;
  };
  return a.size === b.size && [...a].every(isInOther);
}

function differs(name: ByteString, reason: string) {
  return corrupt(`Cannot trust table of contents: it and the tar-split data differ: ${reason}`, { path: name });
}
