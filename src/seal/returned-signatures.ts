/**
 * What came back from those who sign: signed programs, PKCS #7 or CMS messages, bare RSA signatures. Each is known by what it
 * signs, whatever its name.
 */
import { toHex } from "../bytes/index.ts";
import {
  authenticodeOfMessage,
  authenticodeOfRawSignature,
  readAuthenticode,
  verifyAuthenticode,
} from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import { isSigned } from "../keys/index.ts";
import {
  attachSignature,
  authenticodeDigest,
  detachSignatures,
  findSection,
  parsePe,
  readUki,
  requireOnlySigned,
} from "../pe/index.ts";
import { type ImageProgram, programText } from "./image-programs.ts";

export interface ReturnedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A program of the image with the signature that came back; nothing of the signature is verified but what it is for. */
export interface SignedProgram extends ImageProgram {
  readonly returnedPath: string;
}

/** RSA 2048 to 4096. */
const RAW_SIGNATURE_BYTES = { min: 256, max: 512 };

/**
 * @param programs those of the image
 * @param certificateDer whose bare signatures may be, and for messages that carry no certificate
 * @throws SealrootError `conflict` for a file that signs none of the programs, or a program signed twice; `untrusted` for a
 *   program without signature; `usage` for a bare signature without certificate
 */
export async function matchReturned(
  programs: readonly ImageProgram[],
  returned: readonly ReturnedFile[],
  certificateDer: Uint8Array | undefined,
): Promise<SignedProgram[]> {
  const signed = new Map<string, SignedProgram>();
  for (const file of returned) {
    const found = await matchOne(programs, file, certificateDer);
    const other = signed.get(found.path);
    if (other !== undefined) {
      const what = `Cannot attach ${file.path}: ${other.returnedPath} is a signature of ${programText(found)}, too`;
      throw new SealrootError("conflict", what, { path: file.path });
    }
    signed.set(found.path, found);
  }
  return [...signed.values()];
}

async function matchOne(
  programs: readonly ImageProgram[],
  file: ReturnedFile,
  certificateDer: Uint8Array | undefined,
): Promise<SignedProgram> {
  const { form, bytes } = formOf(file);
  if (form === "program") return matchProgram(programs, file);
  const match = form === "message" ? matchMessage : matchRaw;
  return match(programs, { path: file.path, bytes }, certificateDer);
}

/**
 * What kind of thing came back, before the image is read.
 * @throws SealrootError `unsupported` for something else, `corrupt` for a broken program
 */
export function formOf({ path, bytes }: ReturnedFile): {
  readonly form: "program" | "message" | "signature";
  readonly bytes: Uint8Array;
} {
  if (isProgram(bytes)) {
    parsePe(bytes, path);
    return { form: "program", bytes };
  }
  const message = messageOf(bytes);
  if (message !== undefined) return { form: "message", bytes: message };
  const signature = rawSignatureOf(bytes);
  if (signature !== undefined) return { form: "signature", bytes: signature };
  throw new SealrootError("unsupported", `Cannot attach ${path}: it is no signed program and no signature`, {
    path,
    expected: "a PE file, PKCS #7 or CMS (DER or PEM), or an RSA signature of 256 to 512 bytes",
    actual: `${bytes.length} bytes`,
  });
}

export function isProgram(bytes: Uint8Array): boolean {
  return bytes[0] === 0x4d && bytes[1] === 0x5a;
}

function matchProgram(programs: readonly ImageProgram[], { path, bytes }: ReturnedFile): SignedProgram {
  const image = parsePe(bytes, path);
  const digest = toHex(authenticodeDigest(image));
  const program = programs.find((one) => toHex(digestOf(one)) === digest);
  const isUki = findSection(image, ".linux") !== undefined;
  const what = program === undefined ? (isUki ? "the UKI" : path) : programText(program);
  if (!isSigned(bytes)) {
    throw new SealrootError("untrusted", `Cannot attach ${what}: it is not signed`, {
      path,
      hint: "sign the file that `sealroot seal --to-sign` or `seal attach --extract` wrote",
    });
  }
  if (program === undefined) throw notOfImage(what, path, bytes, isUki, programs);
  requireOnlySigned(program.bytes, bytes, what);
  return { ...program, bytes, returnedPath: path };
}

function notOfImage(
  what: string,
  path: string,
  bytes: Uint8Array,
  isUki: boolean,
  programs: readonly ImageProgram[],
): SealrootError {
  const uki = programs.find(({ kind }) => kind === "uki");
  const textOf = (program: Uint8Array, name: string) => {
    const digest = `Authenticode SHA-256 ${toHex(authenticodeDigest(parsePe(program, name)))}`;
    return isUki ? `${digest}, ${readUki(program, name).commandLine}` : digest;
  };
  const message = isUki
    ? "Cannot attach the UKI: it is not the one of the image"
    : `Cannot attach ${what}: it is none of the image's programs`;
  return new SealrootError("conflict", message, {
    path,
    ...(isUki && uki !== undefined && { expected: textOf(uki.bytes, "the UKI") }),
    actual: textOf(bytes, path),
    hint: isUki ? "sign the UKI of this very image" : "sign the files that were given out for this very image",
  });
}

async function matchMessage(
  programs: readonly ImageProgram[],
  { path, bytes }: ReturnedFile,
  certificateDer: Uint8Array | undefined,
): Promise<SignedProgram> {
  for (const program of programs) {
    const digest = digestOf(program);
    const contentInfo = await authenticodeOfMessage(bytes, digest, certificateDer);
    if (!(await isAbout(contentInfo, digest))) continue;
    return withSignature(program, contentInfo, path);
  }
  throw signsNothing(path);
}

/** Whether the message's own signer signed this digest. Whose signature that is, the caller judges. */
async function isAbout(contentInfo: Uint8Array, digest: Uint8Array): Promise<boolean> {
  const { certificates, digestAlgorithm } = await readAuthenticode(contentInfo);
  if (digestAlgorithm !== "sha256") return false;
  return verifyAuthenticode(contentInfo, () => digest, certificates).then(
    () => true,
    () => false,
  );
}

async function matchRaw(
  programs: readonly ImageProgram[],
  { path, bytes }: ReturnedFile,
  certificateDer: Uint8Array | undefined,
): Promise<SignedProgram> {
  if (certificateDer === undefined) {
    throw new SealrootError("usage", `Cannot attach ${path}: a bare signature needs its certificate`, {
      path,
      hint: "give --keys DIR with db.pem, or --certificate FILE",
    });
  }
  for (const program of programs) {
    const contentInfo = await authenticodeOfRawSignature(digestOf(program), certificateDer, bytes).catch(
      (error: unknown) => {
        if (error instanceof SealrootError && error.code === "conflict") return undefined;
        throw error;
      },
    );
    if (contentInfo !== undefined) return withSignature(program, contentInfo, path);
  }
  throw signsNothing(path);
}

function withSignature(program: ImageProgram, contentInfo: Uint8Array, returnedPath: string): SignedProgram {
  return { ...program, bytes: attachSignature(detachSignatures(program.bytes), contentInfo), returnedPath };
}

function digestOf({ bytes, name }: ImageProgram): Uint8Array {
  return authenticodeDigest(parsePe(bytes, name));
}

function signsNothing(path: string): SealrootError {
  return new SealrootError("conflict", `Cannot attach ${path}: it signs none of the image's programs`, {
    path,
    hint: "sign what was given out for this very image, with the key of the certificate",
  });
}

/** PEM of either name (RFC 7468 7 and 8), or what begins as a DER SEQUENCE of that length. */
function messageOf(bytes: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(bytes.subarray(0, 1 << 16)).toString("latin1");
  const pem = /-----BEGIN (PKCS7|CMS)-----\s([A-Za-z0-9+/=\s]+)-----END \1-----/.exec(text)?.[2];
  if (pem !== undefined) return Buffer.from(pem, "base64");
  // A SEQUENCE with a length of two or three bytes that is the whole file.
  const [tag, first = 0] = bytes;
  if (tag !== 0x30 || (first !== 0x82 && first !== 0x83)) return undefined;
  const lengthBytes = first & 0x7f;
  const length = Buffer.from(bytes).readUIntBE(2, lengthBytes);
  return length + 2 + lengthBytes === bytes.length ? bytes : undefined;
}

/** As bytes, or as a line of base64, which services answer with. */
function rawSignatureOf(bytes: Uint8Array): Uint8Array | undefined {
  const fits = (length: number) => length >= RAW_SIGNATURE_BYTES.min && length <= RAW_SIGNATURE_BYTES.max;
  const text = Buffer.from(bytes).toString("latin1").trim();
  const decoded = /^[A-Za-z0-9+/\s]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
  if (decoded !== undefined && fits(decoded.length) && !fits(bytes.length)) return decoded;
  if (fits(bytes.length)) return decoded !== undefined && fits(decoded.length) ? decoded : bytes;
  return undefined;
}
