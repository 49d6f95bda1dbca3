/** Files that are named on the command line: parts of a UKI, keys. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { certificateOf, type Signer, signerOfPrivateKey } from "../cms/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { type PolicySigner, parsePolicyKey, policySignerOfKey } from "../tpm/index.ts";
import type { RootDirectory } from "./root-directory.ts";

/** @throws SealrootError `not-found`, `no-access`, naming what the file is for */
export function readGivenFile(path: string, what: string, hint?: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const failure = asSealrootError(error, `Cannot read ${what}`, { path });
    if (hint === undefined || failure.code !== "not-found") throw failure;
    throw new SealrootError(failure.code, failure.message, { ...failure.data, hint }, error);
  }
}

/** A text, or `@` and the path of a file, which bootc has ukify look for below the root file system. */
export function readGivenText(text: string, directory: RootDirectory): Uint8Array {
  if (!text.startsWith("@")) return Buffer.from(text);
  const path = text.slice(1);
  return readGivenFile(path.startsWith("/") ? path : join(directory.path, path), "a section's content");
}

/**
 * A signer from two files, PEM or DER.
 * @throws SealrootError `not-found`, `corrupt`; `conflict` when they do not belong together
 */
export function signerOfFiles(privateKeyPath: string, certificatePath: string): Signer {
  const certificate = certificateIn(readGivenFile(certificatePath, "the certificate"), certificatePath);
  return signerOfPrivateKey(
    privateKeyIn(readGivenFile(privateKeyPath, "the private key"), privateKeyPath),
    certificate,
  );
}

/**
 * A signer of policies from a file with the private key, and one with the public key that it must have.
 * @throws SealrootError as {@link signerOfFiles}; `unsupported` for a key that is not RSA
 */
export function policySignerOfFiles(privateKeyPath: string, publicKeyPath: string | undefined): PolicySigner {
  const privateKey = privateKeyIn(readGivenFile(privateKeyPath, "the private key for PCR 11"), privateKeyPath);
  const signer = policySignerOfKey(privateKey);
  if (publicKeyPath !== undefined) {
    const given = parsePolicyKey(readGivenFile(publicKeyPath, "the public key for PCR 11"), publicKeyPath);
    if (!given.equals(signer.publicKey)) {
      throw new SealrootError(
        "conflict",
        `Cannot sign policies for PCR 11: ${publicKeyPath} is of another private key`,
        {
          path: publicKeyPath,
        },
      );
    }
  }
  return signer;
}

function certificateIn(content: Uint8Array, path: string): Uint8Array {
  const isPem = Buffer.from(content).includes("-----BEGIN ");
  try {
    return isPem ? new X509Certificate(content).raw : certificateOf(content).raw;
  } catch (error) {
    throw new SealrootError(
      "corrupt",
      `Cannot read the certificate ${path}: it is neither PEM nor DER`,
      { path },
      error,
    );
  }
}

function privateKeyIn(content: Uint8Array, path: string): KeyObject {
  const key = Buffer.from(content);
  if (/^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(key.toString("latin1"))) {
    throw new SealrootError("unsupported", `Cannot read the private key ${path}: it is encrypted`, {
      path,
      hint: "decrypt it first: openssl pkey -in KEY -out PLAIN",
    });
  }
  try {
    return key.includes("-----BEGIN ")
      ? createPrivateKey(key)
      : createPrivateKey({ key, format: "der", type: "pkcs8" });
  } catch (error) {
    throw new SealrootError(
      "corrupt",
      `Cannot read the private key ${path}: it is neither PEM nor PKCS #8`,
      { path },
      error,
    );
  }
}
