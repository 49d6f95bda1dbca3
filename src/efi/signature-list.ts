/** EFI_SIGNATURE_LIST, the content of PK, KEK, db and dbx (UEFI 2.10, 32.4.1). */
import { ByteCursor, ByteWriter } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { GUID_BYTES, type Guid, guidBytes, guidOf, guidText } from "./guid.ts";

/**
 * `x509` is a certificate in DER, `sha256` an image digest, `x509-sha256` the digest of a certificate's signed part with
 * the time of its revocation after it; other types keep their GUID.
 */
export type SignatureType = keyof typeof TYPE_GUIDS | Guid;

export interface SignatureEntry {
  readonly type: SignatureType;
  /** Who put the entry there. */
  readonly owner: Guid;
  readonly data: Uint8Array;
}

/** EFI_CERT_X509_GUID and similar ones. */
const TYPE_GUIDS = {
  x509: guidOf("a5c059a1-94e4-4aa7-87b5-ab155c2bf072"),
  sha256: guidOf("c1c41626-504c-4092-aca9-41f936934328"),
  sha384: guidOf("ff3e5307-9fd0-48c9-85f1-8ad56c701e01"),
  sha512: guidOf("093e0fae-a6c4-4f50-9f1b-d41e2b89c19a"),
  "x509-sha256": guidOf("3bd2a492-96c0-4079-b420-fcf98ef103ed"),
  "x509-sha384": guidOf("7076876e-80c2-4ee6-aad2-28b349a6865b"),
  "x509-sha512": guidOf("446dbf63-2502-4cda-bcfa-2465d2b0fe9d"),
} as const;
const TYPE_OF_GUID = new Map<Guid, keyof typeof TYPE_GUIDS>();
for (const type of Object.keys(TYPE_GUIDS) as (keyof typeof TYPE_GUIDS)[]) TYPE_OF_GUID.set(TYPE_GUIDS[type], type);

/** SignatureType, SignatureListSize, SignatureHeaderSize, SignatureSize. */
const LIST_HEADER_BYTES = GUID_BYTES + 12;

export function x509Entry(owner: Guid, certificateDer: Uint8Array): SignatureEntry {
  return { type: "x509", owner, data: certificateDer };
}

/** One list for each entry, in the given order; the lists follow each other. */
export function encodeSignatureLists(entries: readonly SignatureEntry[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { type, owner, data } of entries) {
    const entryBytes = GUID_BYTES + data.length;
    writer.bytes(guidBytes(guidOfType(type)));
    writer
      .u32(LIST_HEADER_BYTES + entryBytes)
      .u32(0)
      .u32(entryBytes);
    writer.bytes(guidBytes(owner)).bytes(data);
  }
  return writer.finish();
}

/**
 * All entries of all lists; each `data` is a view.
 * @throws SealrootError `corrupt`
 */
export function parseSignatureLists(bytes: Uint8Array): readonly SignatureEntry[] {
  const entries: SignatureEntry[] = [];
  const cursor = new ByteCursor(bytes, "EFI signature list");
  while (cursor.remaining > 0) {
    const start = cursor.offset;
    const type = typeOfGuid(guidText(cursor.take(GUID_BYTES)));
    const listBytes = cursor.u32();
    const headerBytes = cursor.u32();
    const entryBytes = cursor.u32();
    const entriesBytes = listBytes - LIST_HEADER_BYTES - headerBytes;
    if (entriesBytes < 0 || entryBytes <= GUID_BYTES || entriesBytes % entryBytes !== 0) {
      throw corrupt(
        `Cannot parse EFI signature list: ${listBytes} bytes, header of ${headerBytes}, entries of ${entryBytes}`,
        { offset: start },
      );
    }
    cursor.skip(headerBytes);
    for (let left = entriesBytes; left > 0; left -= entryBytes) {
      const owner = guidText(cursor.take(GUID_BYTES));
      entries.push({ type, owner, data: cursor.take(entryBytes - GUID_BYTES) });
    }
  }
  return entries;
}

function guidOfType(type: SignatureType): Guid {
  return type in TYPE_GUIDS ? TYPE_GUIDS[type as keyof typeof TYPE_GUIDS] : (type as Guid);
}

function typeOfGuid(guid: Guid): SignatureType {
  return TYPE_OF_GUID.get(guid) ?? guid;
}
