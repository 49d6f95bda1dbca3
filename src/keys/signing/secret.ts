/** Passphrases and PINs: from a file, or typed at the terminal. They are never in arguments, logs or the environment. */
import { readFileSync } from "node:fs";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { promptSecret } from "../../platform/index.ts";

/** A line of text; more is another file. */
const SECRET_BYTES_MAX = 4096;

/** Where a secret comes from. */
export interface SecretSource {
  /** A file that holds it, with or without a line end; a pipe will do. */
  readonly file?: string | undefined;
  /** Whether somebody may be asked for it. */
  readonly mayAsk: boolean;
}

/**
 * @param what the secret opens, as in a question: `db.key`
 * @returns undefined when there is no file and nobody to ask
 * @throws SealrootError of the file system; `corrupt` for a file with more than one line
 */
export async function readSecret(
  kind: "passphrase" | "PIN",
  what: string,
  { file, mayAsk }: SecretSource,
): Promise<Uint8Array | undefined> {
  if (file !== undefined) return readSecretFile(kind, file);
  const asked = kind === "PIN" ? `PIN of ${what}` : `Passphrase of ${what}`;
  return mayAsk ? promptSecret(asked) : undefined;
}

function readSecretFile(kind: "passphrase" | "PIN", path: string): Uint8Array {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    throw asSealrootError(error, `Cannot read the ${kind}`, { path });
  }
  const end = /\r?\n$/.exec(content.toString("latin1"))?.index ?? content.length;
  const secret = content.subarray(0, end);
  if (secret.length > 0 && secret.length <= SECRET_BYTES_MAX && !secret.includes("\n")) return secret;
  throw new SealrootError("corrupt", `Cannot read the ${kind}: ${path} does not hold one line of text`, { path });
}
