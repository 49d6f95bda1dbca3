/** The reader of one newc archive. */
import { alignUp, byteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type CpioEntry, HEADER_BYTES, MAGIC_CRC, MAGIC_NEWC, TRAILER, TYPE_BITS } from "./entry.ts";

const WHAT = "cpio archive";
/** PATH_MAX of Linux, including the NUL; the kernel skips longer names (init/initramfs.c). */
const NAME_MAX_BYTES = 4096;

export interface CpioArchive {
  readonly entries: readonly CpioEntry[];
  /** Offset just after the trailer. */
  readonly endOffset: number;
}

/** True when a newc header may begin at the offset. */
export function isCpioHeader(bytes: Uint8Array, offset: number): boolean {
  const magic = byteString(bytes, offset, Math.min(offset + MAGIC_NEWC.length, bytes.length)) as string;
  return magic === MAGIC_NEWC || magic === MAGIC_CRC;
}

/**
 * Reads the archive that begins at `offset`, up to and including its trailer. File contents are views of `bytes`.
 * Owners, times and link counts are not kept: the boot does not depend on them.
 *
 * @param entriesMax more entries than this are refused
 * @throws SealrootError `corrupt` with the offset for anything that is not newc, or cut off; `unsupported` for too many
 *   entries
 */
export function readCpio(bytes: Uint8Array, offset = 0, entriesMax = Number.POSITIVE_INFINITY): CpioArchive {
  const entries: CpioEntry[] = [];
  let at = offset;
  for (;;) {
    const header = readHeader(bytes, at);
    const nameOffset = at + HEADER_BYTES;
    const dataOffset = alignTo(offset, nameOffset + header.nameBytes);
    const dataEnd = dataOffset + header.dataBytes;
    if (dataEnd > bytes.length) {
      throw corrupt(`Cannot read ${WHAT}: an entry of ${header.dataBytes} bytes reaches past the end`, { offset: at });
    }
    const name = byteString(bytes, nameOffset, nameOffset + header.nameBytes - 1);
    if (bytes[nameOffset + header.nameBytes - 1] !== 0 || name.includes("\0")) {
      throw corrupt(`Cannot read ${WHAT}: a name does not end where its length says`, { offset: nameOffset });
    }
    at = Math.min(alignTo(offset, dataEnd), bytes.length);
    if ((name as string) === TRAILER) return { entries, endOffset: at };
    if (entries.length >= entriesMax) throw tooManyEntries(at);
    entries.push(entryOf(header, name, bytes.subarray(dataOffset, dataEnd), nameOffset));
  }
}

function tooManyEntries(offset: number): SealrootError {
  return new SealrootError("unsupported", `Cannot read ${WHAT}: it has too many entries`, { offset });
}

/** Padding counts from the beginning of the archive. */
function alignTo(archiveOffset: number, offset: number): number {
  return archiveOffset + alignUp(offset - archiveOffset, 4);
}

interface Header {
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
  readonly nameBytes: number;
  readonly dataBytes: number;
}

function readHeader(bytes: Uint8Array, offset: number): Header {
  if (offset + HEADER_BYTES > bytes.length) {
    throw corrupt(`Cannot read ${WHAT}: it ends without a trailer`, { offset });
  }
  if (!isCpioHeader(bytes, offset)) {
    throw corrupt(`Cannot read ${WHAT}: no newc header where one is expected`, { offset });
  }
  const field = (index: number): number => {
    const start = offset + MAGIC_NEWC.length + index * 8;
    const digits = byteString(bytes, start, start + 8);
    if (!/^[0-9a-fA-F]{8}$/.test(digits)) {
      throw corrupt(`Cannot read ${WHAT}: a header field is not 8 hex digits`, { offset: start });
    }
    return Number.parseInt(digits, 16);
  };
  const nameBytes = field(11);
  if (nameBytes < 2 || nameBytes > NAME_MAX_BYTES) {
    throw corrupt(`Cannot read ${WHAT}: a name of ${nameBytes} bytes`, { offset });
  }
  return { mode: field(1), dataBytes: field(6), major: field(9), minor: field(10), nameBytes };
}

const KIND_OF_TYPE = new Map(Object.entries(TYPE_BITS).map(([kind, bits]) => [bits as number, kind]));

function entryOf(header: Header, path: CpioEntry["path"], data: Uint8Array, offset: number): CpioEntry {
  const kind = KIND_OF_TYPE.get(header.mode & 0o170000);
  const mode = header.mode & 0o7777;
  switch (kind) {
    case "file":
      return { kind, path, mode, bytes: data };
    case "symlink":
      return { kind, path, mode, target: byteString(data) };
    case "directory":
    case "fifo":
    case "socket":
      return { kind, path, mode };
    case "character-device":
    case "block-device":
      return { kind, path, mode, major: header.major, minor: header.minor };
    default:
      throw corrupt(`Cannot read ${WHAT}: entry "${path}" has the unknown type ${header.mode.toString(8)}`, { offset });
  }
}
