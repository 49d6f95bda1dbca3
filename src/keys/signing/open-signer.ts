/** One signer out of what the command line names: a file, a token, a program, a directory of keys. */
import { createPublicKey } from "node:crypto";
import { basename, dirname } from "node:path";
import { certificateOf, type Signer, signerOfPrivateKey } from "../../cms/index.ts";
import type { SecureBootVariableName } from "../../efi/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { findPrivateKey, loadCertificate, loadNamedCertificate, loadSigner, readFirst } from "../directory.ts";
import { isEncryptedKey, parsePrivateKey } from "../private-key.ts";
import { commandSigner, trySigner } from "./command-signer.ts";
import { openPkcs11Key } from "./pkcs11-signer.ts";
import { isPkcs11Uri, shownPkcs11Uri } from "./pkcs11-uri.ts";
import { readSecret, type SecretSource } from "./secret.ts";

export interface SignerChoice {
  /** A directory of keys, for what is not named otherwise. */
  readonly directory?: string | undefined;
  /** Which of its keys; `db` if absent. */
  readonly name?: SecureBootVariableName | undefined;
  /** A file with the private key, or a PKCS #11 URI. */
  readonly key?: string | undefined;
  /** A file with the certificate. */
  readonly certificate?: string | undefined;
  /** A command line of the shell that signs bytes, see {@link commandSigner}. */
  readonly command?: string | undefined;
  /** For an encrypted key, or the PIN of a token. */
  readonly secret: SecretSource;
}

/**
 * Opens a signer, asking for passphrase or PIN where that is needed. One outside this process makes a throw-away signature, so
 * that a missing command or a wrong key shows before work begins.
 *
 * @throws SealrootError `usage` when there is no certificate or no key; `conflict` when they do not belong together; as loadSigner,
 *   parsePrivateKey, openPkcs11Key, trySigner
 */
export async function openSigner(choice: SignerChoice): Promise<Signer> {
  const { key, command, directory, name = "db" } = choice;
  if (command !== undefined) return tried(commandSigner(command, requireCertificate(choice)));
  if (key === undefined) {
    if (directory === undefined) throw noKey();
    return openOfDirectory(directory, name, choice);
  }
  if (isPkcs11Uri(key)) {
    const found = await openPkcs11Key(key, choice.secret);
    const certificateDer = givenCertificate(choice) ?? found.certificateDer ?? noCertificate(shownPkcs11Uri(key));
    return tried({ certificateDer, sign: async (bytes) => found.sign(bytes) });
  }
  const certificateDer = requireCertificate(choice);
  const file = readFirst(dirname(key), [basename(key)]);
  if (file === undefined) {
    throw new SealrootError("not-found", `Cannot read private key ${key}: no such file`, { path: key });
  }
  return signerOfFile(key, file.value, certificateDer, choice.secret);
}

/** The certificate that signatures will be under, without opening the key. @throws SealrootError `usage` without one */
export function requireCertificate(choice: SignerChoice): Uint8Array {
  return givenCertificate(choice) ?? noCertificate(choice.key ?? "the signer");
}

function givenCertificate({ certificate, directory, name = "db" }: SignerChoice): Uint8Array | undefined {
  if (certificate !== undefined) return loadCertificate(certificate);
  return directory === undefined ? undefined : loadNamedCertificate(directory, name);
}

async function openOfDirectory(
  directory: string,
  name: SecureBootVariableName,
  { certificate, secret }: SignerChoice,
): Promise<Signer> {
  const found = findPrivateKey(directory, name);
  const isPlain = found === undefined || !isEncryptedKey(found.value);
  if (isPlain && certificate === undefined) return loadSigner(directory, name);
  const certificateDer =
    certificate === undefined ? loadNamedCertificate(directory, name) : loadCertificate(certificate);
  if (found === undefined) return loadSigner(directory, name);
  return signerOfFile(found.path, found.value, certificateDer, secret);
}

async function signerOfFile(
  path: string,
  content: Uint8Array,
  certificateDer: Uint8Array,
  secret: SecretSource,
): Promise<Signer> {
  const passphrase = isEncryptedKey(content) ? await readSecret("passphrase", path, secret) : undefined;
  const privateKey = parsePrivateKey(path, content, passphrase);
  if (createPublicKey(privateKey).equals(certificateOf(certificateDer).publicKey)) {
    return signerOfPrivateKey(privateKey, certificateDer);
  }
  const subject = certificateOf(certificateDer).subject.replaceAll("\n", ", ");
  throw new SealrootError("conflict", `Cannot sign with ${path}: it does not belong to the certificate "${subject}"`, {
    path,
  });
}

async function tried(signer: Signer): Promise<Signer> {
  await trySigner(signer);
  return signer;
}

function noKey(): SealrootError {
  return new SealrootError("usage", "Cannot sign: no key is named", {
    hint: "give --keys DIR, or --key and --certificate",
  });
}

function noCertificate(key: string): never {
  throw new SealrootError("usage", `Cannot sign with ${key}: its certificate is not named`, {
    hint: "give --certificate FILE, or --keys DIR with db.pem",
  });
}
