/** EFI_SIGNATURE_LIST, the content of PK, KEK, db and dbx (UEFI 2.10, 32.4.1). */
import { ByteCursor, ByteWriter } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { GUID_BYTES, type Guid, guidBytes, guidOf, guidText } from "./guid.ts";

/** `x509` is a certificate in DER, `sha256` an image digest; other types keep their GUID. */
export type SignatureType = "x509" | "sha256" | Guid;

export interface SignatureEntry {
  readonly type: SignatureType;
  /** Who put the entry there. */
  readonly owner: Guid;
  readonly data: Uint8Array;
}

/** EFI_CERT_X509_GUID and EFI_CERT_SHA256_GUID. */
const X509_GUID = guidOf("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
const SHA256_GUID = guidOf("c1c41626-504c-4092-aca9-41f936934328");

/** SignatureType, SignatureListSize, SignatureHeaderSize, SignatureSize. */
const LIST_HEADER_BYTES = GUID_BYTES + 12;

export function x509Entry(owner: Guid, certificateDer: Uint8Array): SignatureEntry {
  return { type: "x509", owner, data: certificateDer };
}

/** One list for each entry, in the order given; the lists follow each other. */
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
  return type === "x509" ? X509_GUID : type === "sha256" ? SHA256_GUID : type;
}

function typeOfGuid(guid: Guid): SignatureType {
  return guid === X509_GUID ? "x509" : guid === SHA256_GUID ? "sha256" : guid;
}
