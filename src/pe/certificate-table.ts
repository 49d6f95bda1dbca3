/** The certificate table at the end of a signed image ("PE Format": The Attribute Certificate Table). */
import { alignUp, ByteCursor, ByteWriter } from "../bytes/index.ts";
import { readDerElement } from "../cms/index.ts";
import { corrupt } from "../errors/index.ts";
import { paddingBytes } from "./authenticode.ts";
import { type PeImage, parsePe } from "./image.ts";
import { CERTIFICATE_ALIGNMENT, DATA_DIRECTORY_BYTES } from "./layout.ts";

/** WIN_CERTIFICATE: u32 length with this header, u16 revision, u16 type. */
const HEADER_BYTES = 8;
/** WIN_CERT_REVISION_2_0 and WIN_CERT_TYPE_PKCS_SIGNED_DATA. */
const REVISION = 0x0200;
const TYPE_PKCS_SIGNED_DATA = 0x0002;

/**
 * The signature messages of an image (ContentInfo DER), in the order of the table; none if it is not signed.
 * @throws SealrootError `corrupt` for a table that does not add up or holds another kind of certificate
 */
export function readSignatures(image: PeImage): readonly Uint8Array[] {
  const signatures: Uint8Array[] = [];
  const cursor = new ByteCursor(image.bytes, "certificate table", image.unsignedEnd);
  while (cursor.remaining > 0) {
    const start = cursor.offset;
    const lengthBytes = cursor.u32();
    const revision = cursor.u16();
    const type = cursor.u16();
    if (revision !== REVISION || type !== TYPE_PKCS_SIGNED_DATA) {
      throw corrupt(`Cannot parse certificate table: entry of revision 0x${revision.toString(16)} and type ${type}`, {
        offset: start,
        expected: "revision 0x200, type 2",
      });
    }
    const message = cursor.take(lengthBytes - HEADER_BYTES);
    const { end } = readDerElement(message, 0, "Authenticode signature");
    const padding = cursor.take(Math.min(paddingBytes(lengthBytes), cursor.remaining));
    if (message.length - end >= CERTIFICATE_ALIGNMENT || !isZero(message.subarray(end)) || !isZero(padding)) {
      throw corrupt("Cannot parse certificate table: bytes that are not padding follow a signature", {
        offset: start + HEADER_BYTES + end,
      });
    }
    signatures.push(message.subarray(0, end));
  }
  return signatures;
}

/**
 * Appends a signature made elsewhere. It is not verified here: `verifyPe` does that.
 * @param contentInfo DER of the signature message
 * @returns a new image
 */
export function attachSignature(bytes: Uint8Array, contentInfo: Uint8Array): Uint8Array {
  const image = parsePe(bytes);
  const tableOffset = image.unsignedEnd + paddingBytes(image.unsignedEnd);
  const oldTable = bytes.subarray(image.unsignedEnd);
  const entryBytes = alignUp(HEADER_BYTES + contentInfo.length, CERTIFICATE_ALIGNMENT);
  const writer = new ByteWriter(tableOffset + oldTable.length + 2 * CERTIFICATE_ALIGNMENT + entryBytes);
  writer.bytes(bytes.subarray(0, image.unsignedEnd)).padTo(CERTIFICATE_ALIGNMENT);
  writer.bytes(oldTable).padTo(CERTIFICATE_ALIGNMENT);
  writer.u32(entryBytes).u16(REVISION).u16(TYPE_PKCS_SIGNED_DATA).bytes(contentInfo).padTo(CERTIFICATE_ALIGNMENT);
  const signed = writer.finish();
  setCertificateDirectory(signed, image, tableOffset, signed.length - tableOffset);
  return signed;
}

/**
 * The image without its signatures; the padding before them stays, as its original length is not recorded.
 * @returns a new image; equal to the given one when there is no signature
 */
export function detachSignatures(bytes: Uint8Array): Uint8Array {
  const image = parsePe(bytes);
  const unsigned = Uint8Array.from(bytes.subarray(0, image.unsignedEnd));
  setCertificateDirectory(unsigned, image, 0, 0);
  return unsigned;
}

function setCertificateDirectory(bytes: Uint8Array, image: PeImage, tableOffset: number, sizeBytes: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + image.certificateDirectoryOffset, DATA_DIRECTORY_BYTES);
  view.setUint32(0, tableOffset, true);
  view.setUint32(4, sizeBytes, true);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
