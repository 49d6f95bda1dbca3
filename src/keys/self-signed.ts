/** Makes a key with a self-signed certificate (RFC 5280). Loads the X.509 library; imported lazily. */
// The library's dependency injection needs this first.
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { toHex } from "../bytes/index.ts";

export interface SelfSignedKey {
  /** PKCS #8, PEM. */
  readonly privateKeyPem: string;
  readonly certificateDer: Uint8Array;
}

export interface SelfSignedOptions {
  readonly commonName: string;
  readonly rsaBits: number;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** RFC 5280 4.1.2.2 allows 20 bytes and wants a positive number. */
const SERIAL_NUMBER_BYTES = 16;

/**
 * A new RSA key and its certificate, which may sign images and variables and issues nothing (basic constraints: no CA;
 * key usage: digital signature).
 */
export async function makeSelfSignedKey(options: SelfSignedOptions): Promise<SelfSignedKey> {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(
    { ...algorithm, modulusLength: options.rsaBits, publicExponent: Uint8Array.of(1, 0, 1) },
    true,
    ["sign", "verify"],
  );
  const serialNumber = randomBytes(SERIAL_NUMBER_BYTES);
  // Neither negative nor with a leading zero byte, which DER would have to drop.
  serialNumber.writeUInt8((serialNumber.readUInt8(0) & 0x3f) | 0x40, 0);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: toHex(serialNumber),
      // As an object: a plain text is parsed as an RFC 4514 name, where quotes, backslashes and "#" have a meaning.
      // UTF8String is what RFC 5280 4.1.2.4 asks for.
      name: new Name([{ CN: [{ utf8String: options.commonName }] }]),
      notBefore: options.notBefore,
      notAfter: options.notAfter,
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { privateKeyPem: pemOf("PRIVATE KEY", pkcs8), certificateDer: new Uint8Array(certificate.rawData) };
}

/** RFC 7468: base64 in lines of 64 characters between the two labels. */
export function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
