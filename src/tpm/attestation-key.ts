/**
 * The key with which a TPM signs quotes: a restricted ECDSA key on P-256 that the TPM derives from the seed of its endorsement
 * hierarchy, so that it is the same at every call and is stored nowhere (TCG TPM 2.0 Library, part 3, 24.1 TPM2_CreatePrimary).
 */
import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { corrupt, SealrootError } from "../errors/index.ts";
import { concat, sendCommand, sized, TPM_ALG, type TpmChannel, TpmReader, u16, u32 } from "./wire.ts";

/** TPM_RH_ENDORSEMENT (part 2, 7.4). */
const ENDORSEMENT = 0x4000000b;
const CC_CREATE_PRIMARY = 0x00000131;
const CC_FLUSH_CONTEXT = 0x00000165;
/** TPM_ECC_NIST_P256 (part 2, 6.4). */
const NIST_P256 = 0x0003;
/** Bytes of a coordinate. */
const COORDINATE_BYTES = 32;
/**
 * TPMA_OBJECT (part 2, 8.3.2): fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign. Restricted keys
 * sign nothing that looks like an attestation but what the TPM itself has made.
 */
const ATTRIBUTES = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 10) | (1 << 16) | (1 << 18);

/** TPMT_PUBLIC up to `unique` (part 2, 12.2.4): the same for every such key. */
const TEMPLATE = concat(
  u16(TPM_ALG.ecc),
  u16(TPM_ALG.sha256),
  u32(ATTRIBUTES),
  sized(new Uint8Array(0)), // authPolicy
  u16(TPM_ALG.null), // symmetric
  concat(u16(TPM_ALG.ecdsa), u16(TPM_ALG.sha256)), // scheme
  u16(NIST_P256),
  u16(TPM_ALG.null), // kdf
);

export interface AttestationKey {
  /** TPMT_PUBLIC, as the TPM gives it. */
  readonly publicArea: Uint8Array;
  readonly publicKey: KeyObject;
  /** How quotes name it: the algorithm, then a digest over hierarchy and public area (part 1, 26.6 "Qualified Name"). */
  readonly qualifiedName: Uint8Array;
}

/**
 * Reads a public area.
 * @throws SealrootError `corrupt`; `unsupported` for a key of another kind, which could sign what no TPM has said
 */
export function parseAttestationKey(publicArea: Uint8Array): AttestationKey {
  const what = "attestation key";
  const reader = new TpmReader(publicArea, what);
  const template = reader.take(TEMPLATE.length);
  if (!Buffer.from(template).equals(TEMPLATE)) {
    throw new SealrootError("unsupported", `Cannot use the ${what}: it is not a restricted ECDSA key on P-256`, {
      expected: Buffer.from(TEMPLATE).toString("hex"),
      actual: Buffer.from(template).toString("hex"),
    });
  }
  const [x, y] = [reader.sized(), reader.sized()];
  reader.end();
  if (x.length > COORDINATE_BYTES || y.length > COORDINATE_BYTES) {
    throw corrupt(`Cannot read ${what}: coordinates of ${x.length} and ${y.length} bytes`);
  }
  const coordinate = (bytes: Uint8Array) => leftPadded(bytes, COORDINATE_BYTES).toString("base64url");
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({
      format: "jwk",
      key: { kty: "EC", crv: "P-256", x: coordinate(x), y: coordinate(y) },
    });
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read ${what}: it is no point of P-256`, {}, error);
  }
  const name = (bytes: Uint8Array) => concat(u16(TPM_ALG.sha256), createHash("sha256").update(bytes).digest());
  return { publicArea, publicKey, qualifiedName: name(concat(u32(ENDORSEMENT), name(publicArea))) };
}

/** The number as so many bytes; TPMs leave leading zeros out. */
export function leftPadded(bytes: Uint8Array, length: number): Buffer {
  return Buffer.concat([Buffer.alloc(Math.max(0, length - bytes.length)), bytes]);
}

/** SubjectPublicKeyInfo, by which keys are compared and pinned. */
export function attestationKeyPem({ publicKey }: AttestationKey): string {
  return publicKey.export({ type: "spki", format: "pem" }).toString();
}

/**
 * Runs `use` with the key in the TPM, which forgets it afterwards.
 * @throws SealrootError `failed` when the TPM refuses
 */
export async function withAttestationKey<T>(
  channel: TpmChannel,
  use: (handle: number, key: AttestationKey) => Promise<T>,
): Promise<T> {
  const sensitive = concat(sized(new Uint8Array(0)), sized(new Uint8Array(0)));
  const publicArea = concat(TEMPLATE, sized(new Uint8Array(0)), sized(new Uint8Array(0)));
  const noData = concat(sized(new Uint8Array(0)), u32(0)); // outsideInfo, creationPCR
  const { handle = 0, parameters } = await sendCommand(
    channel,
    {
      ...{ code: CC_CREATE_PRIMARY, purpose: "make the attestation key", handles: [ENDORSEMENT], isAuthorized: true },
      parameters: concat(sized(sensitive), sized(publicArea), noData),
    },
    true,
  );
  try {
    return await use(handle, parseAttestationKey(parameters.sized()));
  } finally {
    await sendCommand(channel, {
      ...{ code: CC_FLUSH_CONTEXT, purpose: "forget the attestation key", isAuthorized: false },
      parameters: u32(handle),
    });
  }
}
