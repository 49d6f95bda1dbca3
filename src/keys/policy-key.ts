/**
 * The key by which policies for PCR 11 are signed, and to which a TPM binds secrets: `pcr.key` and `pcr.pub` of a key directory.
 * It is no key of Secure Boot and has no certificate.
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { type PolicySigner, parsePolicyKey, policyKeyPem, policySignerOfKey } from "../tpm/index.ts";
import { readFirst } from "./directory.ts";
import { isEncryptedKey, parsePrivateKey } from "./private-key.ts";
import { openPkcs11Key } from "./signing/pkcs11-signer.ts";
import { isPkcs11Uri, shownPkcs11Uri } from "./signing/pkcs11-uri.ts";
import { readSecret, type SecretSource } from "./signing/secret.ts";

const PRIVATE_FILE = "pcr.key";
const PUBLIC_FILE = "pcr.pub";
/** Every TPM 2.0 has RSA of this size; larger keys are optional (PC Client Platform TPM Profile 1.05, 4.7). */
const RSA_BITS = 2048;

export interface PolicyKeyChoice {
  /** A directory of keys, for what is not named otherwise. */
  readonly directory?: string | undefined;
  /** A file with the private key, or a PKCS #11 URI. */
  readonly key?: string | undefined;
  /** A file with the public key, PEM. */
  readonly publicKey?: string | undefined;
  /** For an encrypted key, or the PIN of a token. */
  readonly secret: SecretSource;
}

/** The files of a new key, to be written beside the others. */
export function newPolicyKeyFiles(): { name: string; content: string | Uint8Array; isSecret: boolean }[] {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: RSA_BITS });
  return [
    { name: PRIVATE_FILE, content: privateKey.export({ type: "pkcs8", format: "pem" }), isSecret: true },
    { name: PUBLIC_FILE, content: policyKeyPem(publicKey), isSecret: false },
  ];
}

/**
 * The public key: a file that was named, or that of the directory.
 * @returns undefined when nothing is named and the directory has none
 * @throws SealrootError `not-found` for a file that was named; `corrupt`; `unsupported` for a key that TPMs need not know
 */
function findPolicyKey({ directory, publicKey }: PolicyKeyChoice): KeyObject | undefined {
  const path = publicKey ?? (directory === undefined ? undefined : join(directory, PUBLIC_FILE));
  if (path === undefined) return undefined;
  const found = readFirst(dirname(path), [basename(path)]);
  if (found !== undefined) return checked(parsePolicyKey(found.value, path), path);
  if (publicKey === undefined) return undefined;
  throw new SealrootError("not-found", `Cannot read policy key ${path}: no such file`, { path });
}

/** A policy key, and who signs with it. */
export interface OpenedPolicyKey {
  readonly publicKey: KeyObject;
  /** Undefined when the private key is elsewhere. */
  readonly signer: PolicySigner | undefined;
}

/**
 * Opens the key: a file or token that was named, or that of the directory.
 *
 * @param mayBeElsewhere whether a public key alone will do
 * @returns undefined when nothing is named and the directory has no policy key at all
 * @throws SealrootError `not-found` when there is only a public key; `usage` for a token without it; `conflict` when both do not
 *   belong together; as parsePolicyKey, parsePrivateKey, openPkcs11Key
 */
export async function openPolicyKey(
  choice: PolicyKeyChoice,
  mayBeElsewhere: boolean,
): Promise<OpenedPolicyKey | undefined> {
  const publicKey = findPolicyKey(choice);
  if (choice.key !== undefined && isPkcs11Uri(choice.key)) return opened(await ofToken(choice, choice.key, publicKey));
  const path = choice.key ?? (choice.directory === undefined ? undefined : join(choice.directory, PRIVATE_FILE));
  const found = path === undefined ? undefined : readFirst(dirname(path), [basename(path)]);
  if (found !== undefined) return opened(await ofFile(choice, found.path, found.value, publicKey));
  if (choice.key === undefined && publicKey === undefined) return undefined;
  if (choice.key === undefined && publicKey !== undefined && mayBeElsewhere) return { publicKey, signer: undefined };
  throw new SealrootError("not-found", `Cannot sign policies for PCR 11: ${path ?? "the private key"} is missing`, {
    ...(path !== undefined && { path }),
    hint: "name the key with --pcr-key, or have the policies signed elsewhere: --unsigned --to-sign DIR",
  });
}

function opened(signer: PolicySigner): OpenedPolicyKey {
  return { publicKey: signer.publicKey, signer };
}

async function ofFile(
  { secret }: PolicyKeyChoice,
  path: string,
  content: Uint8Array,
  publicKey: KeyObject | undefined,
): Promise<PolicySigner> {
  const passphrase = isEncryptedKey(content) ? await readSecret("passphrase", path, secret) : undefined;
  const signer = policySignerOfKey(parsePrivateKey(path, content, passphrase));
  checked(signer.publicKey, path);
  if (publicKey !== undefined && !publicKey.equals(signer.publicKey)) {
    throw new SealrootError("conflict", `Cannot sign policies for PCR 11: ${path} has another public key`, { path });
  }
  return signer;
}

async function ofToken(
  { secret }: PolicyKeyChoice,
  uri: string,
  publicKey: KeyObject | undefined,
): Promise<PolicySigner> {
  if (publicKey === undefined) {
    throw new SealrootError("usage", `Cannot sign with ${shownPkcs11Uri(uri)}: its public key is not named`, {
      hint: "give --pcr-public-key FILE, or --keys DIR with pcr.pub",
    });
  }
  const key = await openPkcs11Key(uri, secret);
  return {
    publicKey,
    sign: async (bytes, bank) => {
      if (bank === "sha256") return key.sign(bytes);
      throw new SealrootError(
        "unsupported",
        `Cannot sign a policy of bank ${bank} with a token: it signs with SHA-256`,
      );
    },
  };
}

/** systemd binds a secret to any RSA key, and does not get it back when the TPM cannot load that key. */
function checked(key: KeyObject, path: string): KeyObject {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (key.asymmetricKeyType === "rsa" && bits === RSA_BITS) return key;
  throw new SealrootError("unsupported", `Cannot use ${path} as policy key: not every TPM can load it`, {
    path,
    expected: `RSA with ${RSA_BITS} bits`,
    actual: key.asymmetricKeyType === "rsa" ? `RSA with ${bits} bits` : (key.asymmetricKeyType ?? "no public key"),
  });
}
