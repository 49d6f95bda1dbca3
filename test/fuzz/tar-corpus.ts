/** Tar streams to begin with, and the repair that lets a changed header be read at all. */
import { byteStringOfText } from "../../src/bytes/index.ts";
import { BLOCK_BYTES, END_OF_ARCHIVE, encodeTarHeader, type TarMemberHeader, tarPadding } from "../../src/tar/index.ts";
import { record } from "../tar/blocks.ts";

/** Where a header says its checksum (POSIX.1-2017, pax, "chksum"). */
const CHECKSUM_START = 148;
const CHECKSUM_END = 156;
const MAGIC_OFFSET = 257;

type Member = Omit<TarMemberHeader, "path" | "linkPath" | "mode" | "uid" | "gid" | "mtimeSeconds"> & {
  readonly path: string;
  readonly linkPath?: string;
  readonly body?: string;
};

const TREE: readonly Member[] = [
  { kind: "directory", path: "usr" },
  { kind: "directory", path: "usr/bin" },
  { kind: "file", path: "usr/bin/small", body: "hello\n" },
  { kind: "file", path: "usr/bin/large", body: "x".repeat(700), mtimeNanoseconds: 500_000_000 },
  { kind: "hardlink", path: "usr/bin/same", linkPath: "usr/bin/large" },
  { kind: "symlink", path: "bin", linkPath: "usr/bin" },
  { kind: "character-device", path: "null", device: { major: 1, minor: 3 } },
  { kind: "fifo", path: "pipe" },
];

const LONG: readonly Member[] = [
  { kind: "directory", path: "d".repeat(120) },
  { kind: "symlink", path: `${"d".repeat(120)}/link`, linkPath: "t".repeat(300) },
  {
    kind: "file",
    path: `${"d".repeat(120)}/file`,
    body: "capable",
    xattrs: new Map([
      [byteStringOfText("security.capability"), Buffer.from("010000020020000000000000", "hex")],
      [byteStringOfText("user.text"), Buffer.from("a=b\nc")],
    ]),
  },
];

const WHITEOUTS: readonly Member[] = [
  { kind: "directory", path: "etc" },
  { kind: "file", path: "etc/gone", body: "" },
  { kind: "file", path: "etc/.wh.gone", body: "" },
  { kind: "file", path: "etc/.wh..wh..opq", body: "" },
  { kind: "character-device", path: "etc/device", device: { major: 0, minor: 0 } },
];

export function tarCorpus(): Buffer[] {
  const ends = Buffer.from(END_OF_ARCHIVE);
  return [archive(TREE), archive(LONG), archive(WHITEOUTS), gnuLongName(), oldSparse(), paxSparse(), ends];
}

function archive(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.flatMap(memberBytes), END_OF_ARCHIVE]);
}

function memberBytes({ body = "", path, linkPath, ...rest }: Member): Uint8Array[] {
  const sizeBytes = Buffer.byteLength(body);
  const header: TarMemberHeader = {
    ...rest,
    path: byteStringOfText(path),
    ...(linkPath === undefined ? {} : { linkPath: byteStringOfText(linkPath) }),
    ...{ mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 1000n, sizeBytes },
  };
  return [encodeTarHeader(header), Buffer.from(body), tarPadding(sizeBytes)];
}

/** An `L` header of GNU tar before a directory. */
function gnuLongName(): Buffer {
  const name = `${"n".repeat(200)}\0`;
  const long = Buffer.concat(memberBytes({ kind: "file", path: "././@LongLink", body: name }));
  const short = Buffer.concat(memberBytes({ kind: "directory", path: "n".repeat(100) }));
  long.write("L", 156);
  for (const header of [long, short]) header.write("ustar  \0", MAGIC_OFFSET);
  const bytes = Buffer.concat([long, short, END_OF_ARCHIVE]);
  fixChecksums(bytes);
  return bytes;
}

/** A file with holes in GNU tar's old form: a region in the header, one in the block after it. */
function oldSparse(): Buffer {
  const bytes = Buffer.concat([
    ...memberBytes({ kind: "file", path: "holes", body: "x".repeat(100) }).slice(0, 1),
    Buffer.alloc(512),
    Buffer.from("x".repeat(100).padEnd(512, "\0")),
    END_OF_ARCHIVE,
  ]);
  bytes.write("S", 156);
  bytes.write("ustar  \0", MAGIC_OFFSET);
  bytes.write("00000000000\x0000000000100\0", 386, "latin1");
  bytes.write("\x01" + "00000010000\0", 482, "latin1");
  bytes.write("00000001000\x0000000000044\0", 512, "latin1");
  fixChecksums(bytes);
  return bytes;
}

/** The same in PAX, versions 0.0, 0.1 and 1.0. */
function paxSparse(): Buffer {
  const of = (records: Readonly<Record<string, string>>, body: string) => {
    const texts = Object.entries(records).map(([key, value]) => record(`GNU.sparse.${key}`, value));
    const [header = new Uint8Array(0), ...rest] = memberBytes({ kind: "file", path: "pax", body: texts.join("") });
    header[156] = "x".charCodeAt(0);
    return [header, ...rest, ...memberBytes({ kind: "file", path: "stored", body })];
  };
  const list = "1\n3\n80\n".padEnd(512, "\0");
  const bytes = Buffer.concat([
    ...of({ size: "100", numblocks: "1", offset: "10", numbytes: "2" }, "ab"),
    ...of({ size: "100", map: "9,1,50,1", name: "b" }, "ab"),
    ...of({ major: "1", minor: "0", realsize: "100", name: "c" }, `${list}${"y".repeat(80)}`),
    END_OF_ARCHIVE,
  ]);
  fixChecksums(bytes);
  return bytes;
}

/** Makes the checksum of every block right that has a header's magic, so that the fields after it are reached. */
export function fixChecksums(bytes: Buffer): void {
  for (let start = 0; start + BLOCK_BYTES <= bytes.length; start += BLOCK_BYTES) {
    const block = bytes.subarray(start, start + BLOCK_BYTES);
    if (block.toString("latin1", MAGIC_OFFSET, MAGIC_OFFSET + 5) !== "ustar") continue;
    block.fill(" ", CHECKSUM_START, CHECKSUM_END);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM_START, "latin1");
  }
}
