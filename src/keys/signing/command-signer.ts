/** A signer outside this process: a program that talks to a hardware module or a signing service. */
import { type Signer, signAuthenticode } from "../../cms/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { runTool } from "../../platform/index.ts";

/** Long enough for somebody to type a PIN or touch a token. */
const ANSWER_TIMEOUT_MS = 120_000;
/** An RSA signature has at most 512 bytes (4096 bits); more is not one. */
const ANSWER_BYTES_MAX = 4096;

/**
 * A signer that runs a command line of the shell for every signature: the bytes to be signed come on its standard input,
 * and it answers with the raw RSA PKCS #1 v1.5 signature with SHA-256 on standard output, as
 * `openssl dgst -sha256 -sign db.key` does.
 *
 * Its answer is verified before it is used. Its `sign` throws `failed` when the command fails, `timeout` after two
 * minutes.
 */
export function commandSigner(command: string, certificateDer: Uint8Array): Signer {
  return {
    certificateDer,
    sign: async (toBeSigned) => {
      const { stdout } = await runTool("sh", ["-c", command], {
        input: toBeSigned,
        timeoutMs: ANSWER_TIMEOUT_MS,
        outputLimitBytes: ANSWER_BYTES_MAX,
      });
      if (stdout.length > 0) return stdout;
      throw new SealrootError("failed", `Cannot sign with the command ${command}: it answered nothing`);
    },
  };
}

/** Of no image. */
const TRIAL_DIGEST = new Uint8Array(32);

/**
 * Asks a signer for one throw-away signature, so that a missing command, or one with another key, shows before work
 * begins. It has the form of all others, for services that check what they sign.
 *
 * @throws SealrootError as the signer, `conflict` for an answer that the certificate does not verify
 */
export async function trySigner(signer: Signer): Promise<void> {
  await signAuthenticode(TRIAL_DIGEST, signer);
}
