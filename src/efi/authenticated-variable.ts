/**
 * Time-based authenticated updates of variables, `.auth` files: EFI_VARIABLE_AUTHENTICATION_2 before the new content
 * (UEFI 2.10, 8.2.2; spec/boot-chain.md C).
 */
import { ByteCursor, ByteWriter } from "../bytes/index.ts";
import { type Signer, signDetached, type VerifiedSignature, verifyDetached } from "../cms/index.ts";
import { corrupt } from "../errors/index.ts";
import { EFI_TIME_BYTES, efiTimeOf, parseEfiTime } from "./efi-time.ts";
import { GUID_BYTES, type Guid, guidBytes, guidOf, guidText } from "./guid.ts";
import type { EfiVariable } from "./variable.ts";

/** EFI_CERT_TYPE_PKCS7_GUID. */
const PKCS7_GUID = guidOf("4aafd29d-68df-49ee-8aa9-347d375665a7");
/** WIN_CERTIFICATE: u32 length, u16 revision, u16 type; for a UEFI GUID certificate the GUID follows. */
const CERTIFICATE_HEADER_BYTES = 8 + GUID_BYTES;
const CERTIFICATE_REVISION = 0x0200;
const CERTIFICATE_TYPE_EFI_GUID = 0x0ef1;

/** A new value for a variable and the time stamp, which must be later than that of the value it replaces. */
export interface VariableToSign extends EfiVariable {
  readonly timestamp: Date;
}

/** A parsed `.auth` file; nothing in it has been verified. */
export interface AuthenticatedVariable {
  readonly timestamp: Date;
  /** SignedData DER. */
  readonly signature: Uint8Array;
  /** The variable's new content. */
  readonly data: Uint8Array;
}

/**
 * The `.auth` file that sets a variable.
 * @returns time stamp, signature and content; the same bytes for the same input and key
 */
export async function signVariable(variable: VariableToSign, signer: Signer): Promise<Uint8Array> {
  const signature = await signDetached(signedBytes(variable), signer);
  return new ByteWriter()
    .bytes(efiTimeOf(variable.timestamp))
    .u32(CERTIFICATE_HEADER_BYTES + signature.length)
    .u16(CERTIFICATE_REVISION)
    .u16(CERTIFICATE_TYPE_EFI_GUID)
    .bytes(guidBytes(PKCS7_GUID))
    .bytes(signature)
    .bytes(variable.data)
    .finish();
}

/** @throws SealrootError `corrupt` */
export function parseAuthenticatedVariable(bytes: Uint8Array): AuthenticatedVariable {
  const { time, ...rest } = splitAuthenticatedVariable(bytes);
  return { timestamp: parseEfiTime(time), ...rest };
}

/**
 * Only the new content of an `.auth` file. Its time stamp is ignored: updates that append to a variable have none
 * (UEFI 2.10, 8.2.2).
 * @throws SealrootError `corrupt`
 */
export function authenticatedContent(bytes: Uint8Array): Uint8Array {
  return splitAuthenticatedVariable(bytes).data;
}

function splitAuthenticatedVariable(bytes: Uint8Array): {
  readonly time: Uint8Array;
  readonly signature: Uint8Array;
  readonly data: Uint8Array;
} {
  const cursor = new ByteCursor(bytes, "authenticated variable");
  const time = cursor.take(EFI_TIME_BYTES);
  const lengthBytes = cursor.u32();
  const revision = cursor.u16();
  const type = cursor.u16();
  const guid = guidText(cursor.take(GUID_BYTES));
  if (revision !== CERTIFICATE_REVISION || type !== CERTIFICATE_TYPE_EFI_GUID || guid !== PKCS7_GUID) {
    throw corrupt(
      `Cannot parse authenticated variable: certificate of revision 0x${revision.toString(16)}, type 0x${type.toString(16)}, ${guid}`,
      { offset: EFI_TIME_BYTES, expected: `revision 0x200, type 0xef1, ${PKCS7_GUID}` },
    );
  }
  const signature = cursor.take(lengthBytes - CERTIFICATE_HEADER_BYTES);
  return { time, signature, data: cursor.take(cursor.remaining) };
}

/**
 * Verifies an `.auth` file as firmware does before it sets the variable.
 * @param target the variable the file is meant for: the signature covers name, vendor and attributes
 * @param trustedCertificates DER; for db those of KEK, for KEK and PK that of PK
 * @throws SealrootError `corrupt` or `untrusted`
 */
export async function verifyAuthenticatedVariable(
  bytes: Uint8Array,
  target: { readonly name: string; readonly vendor: Guid; readonly attributes: number },
  trustedCertificates: readonly Uint8Array[],
): Promise<AuthenticatedVariable & VerifiedSignature> {
  const variable = parseAuthenticatedVariable(bytes);
  const verified = await verifyDetached(
    variable.signature,
    signedBytes({ ...target, timestamp: variable.timestamp, data: variable.data }),
    trustedCertificates,
  );
  return { ...variable, ...verified };
}

/** Name without its NUL, vendor, attributes, time stamp, content (UEFI 2.10, 8.2.2, step 2 of creating the descriptor). */
function signedBytes(variable: VariableToSign): Uint8Array {
  return new ByteWriter()
    .bytes(Buffer.from(variable.name, "utf16le"))
    .bytes(guidBytes(variable.vendor))
    .u32(variable.attributes)
    .bytes(efiTimeOf(variable.timestamp))
    .bytes(variable.data)
    .finish();
}
