/** The members of a layer, as far as the images of these tests need it: plain and PAX headers, files, links, directories. */

export interface Member {
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly target: string;
  readonly body: Buffer;
}

/** A run of the tar: headers with whatever is inline, or the body of a file. */
export interface Run {
  readonly bytes: Buffer;
  readonly isBody: boolean;
}

const BLOCK = 512;
/** Shorter contents are kept with their headers (spec/repository.md 3). */
const INLINE_MAX_BYTES = 64;

export function walkTar(tar: Buffer): { readonly members: Member[]; readonly runs: Run[] } {
  const members: Member[] = [];
  const runs: Run[] = [];
  let pax = new Map<string, string>();
  let at = 0;
  for (; tar[at] !== 0; ) {
    const header = tar.subarray(at, at + BLOCK);
    const octal = (offset: number, length: number) =>
      Number.parseInt(
        header
          .toString("latin1", offset, offset + length)
          .replace(/\0.*$/s, "")
          .trim() || "0",
        8,
      );
    const text = (offset: number, length: number) =>
      header.toString("utf8", offset, offset + length).replace(/\0.*$/s, "");
    const size = octal(124, 12);
    const body = tar.subarray(at + BLOCK, at + BLOCK + size);
    const end = at + BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "x") pax = paxRecords(body);
    else {
      const prefix = text(345, 155);
      const path = pax.get("path") ?? (prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`);
      const kind = type === "5" ? "directory" : type === "2" ? "symlink" : "file";
      const owner = { mode: octal(100, 8), uid: octal(108, 8), gid: octal(116, 8) };
      members.push({ path: path.replace(/\/$/, ""), kind, ...owner, target: text(157, 100), body });
      pax = new Map();
    }
    if (type === "0" && size > INLINE_MAX_BYTES) {
      runs.push({ bytes: header, isBody: false }, { bytes: body, isBody: true });
      runs.push({ bytes: tar.subarray(at + BLOCK + size, end), isBody: false });
    } else runs.push({ bytes: tar.subarray(at, end), isBody: false });
    at = end;
  }
  runs.push({ bytes: tar.subarray(at), isBody: false });
  return { members, runs };
}

function paxRecords(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const blank = body.indexOf(0x20, at);
    const length = Number(body.toString("latin1", at, blank));
    const record = body.toString("utf8", blank + 1, at + length - 1);
    records.set(record.slice(0, record.indexOf("=")), record.slice(record.indexOf("=") + 1));
    at += length;
  }
  return records;
}
