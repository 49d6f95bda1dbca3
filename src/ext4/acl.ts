/** Access control lists: as programs see them (linux/posix_acl_xattr.h), and as ext4 stores them (fs/ext4/acl.h). */
import { ByteWriter } from "../bytes/index.ts";

const PROGRAM_VERSION = 2;
const DISK_VERSION = 1;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
/** Tags of linux/posix_acl.h; those of one user or group have an id, which the disk omits for others. */
const TAGS_WITH_ID: readonly number[] = [0x02, 0x08];
const TAGS_WITHOUT_ID: readonly number[] = [0x01, 0x04, 0x10, 0x20];

/**
 * The stored form of `system.posix_acl_access` or `_default`.
 * @param value tag, permissions and id of each entry after the version
 * @returns undefined if it is not one
 */
export function aclForDisk(value: Uint8Array): Uint8Array | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const isList = value.length >= HEADER_BYTES && (value.length - HEADER_BYTES) % ENTRY_BYTES === 0;
  if (!isList || view.getUint32(0, true) !== PROGRAM_VERSION) return undefined;
  const writer = new ByteWriter(value.length);
  writer.u32(DISK_VERSION);
  for (let offset = HEADER_BYTES; offset < value.length; offset += ENTRY_BYTES) {
    const tag = view.getUint16(offset, true);
    writer.u16(tag).u16(view.getUint16(offset + 2, true));
    if (TAGS_WITH_ID.includes(tag)) writer.u32(view.getUint32(offset + 4, true));
    else if (!TAGS_WITHOUT_ID.includes(tag)) return undefined;
  }
  return writer.finish();
}
