/** Signing of whole programs (PE files): with a key, with a key and a time stamp, or by a program that writes signed files. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Signer, signAuthenticode } from "../../cms/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { attachSignature, authenticodeDigest, parsePe, requireOnlySigned, signPe, verifyPe } from "../../pe/index.ts";
import { runTool, temporaryDirectory } from "../../platform/index.ts";
import { timestamped } from "./timestamp-service.ts";

/** Signs programs in a way of its own. */
export interface ProgramSigner {
  readonly certificateDer: Uint8Array;
  /**
   * @param what names the program in errors
   * @returns the program with a signature that its certificate verifies
   */
  signProgram(program: Uint8Array, what: string): Promise<Uint8Array>;
}

/** A service may wait for somebody to approve. */
const COMMAND_TIMEOUT_MS = 600_000;

/**
 * Signs a program.
 * @throws SealrootError as signPe, or the signer's own
 */
export function signProgram(program: Uint8Array, what: string, signer: Signer | ProgramSigner): Promise<Uint8Array> {
  return "signProgram" in signer ? signer.signProgram(program, what) : signPe(program, signer);
}

/**
 * A signer whose signatures get a time stamp of a service (RFC 3161): the same program signed twice then differs.
 *
 * @param url of the service, http or https
 * @param tell is given the time that the service states
 */
export function timestampingSigner(signer: Signer, url: string, tell: (text: string) => void): ProgramSigner {
  return {
    certificateDer: signer.certificateDer,
    signProgram: async (program, what) => {
      const signature = await signAuthenticode(authenticodeDigest(parsePe(program, what)), signer);
      const { contentInfo, time } = await timestamped(signature, url);
      tell(`${what}: signed at ${time.toISOString()} according to ${url}`);
      return attachSignature(program, contentInfo);
    },
  };
}

/**
 * A signer that runs a command line of the shell for every program. `{input}` in it becomes the path of the unsigned file, `{output}`
 * the path where it must leave the signed one, both quoted. What it leaves is used only when nothing but the signature
 * differs and the certificate verifies it.
 *
 * Its `signProgram` throws `failed` when the command fails or leaves no file, `timeout` after ten minutes, `conflict` for another
 * program, `untrusted` for another signer.
 *
 * @throws SealrootError `usage` for a command without the two placeholders
 */
export function commandProgramSigner(command: string, certificateDer: Uint8Array): ProgramSigner {
  for (const placeholder of ["{input}", "{output}"]) {
    if (command.includes(placeholder)) continue;
    throw new SealrootError("usage", `Cannot sign with the command ${command}: it has no ${placeholder}`, {
      hint: "for example: sbsign --key db.key --cert db.pem --output {output} {input}",
    });
  }
  return {
    certificateDer,
    signProgram: async (program, what) => {
      using scratch = temporaryDirectory({ purpose: "sign" });
      const [input, output] = [join(scratch.path, "unsigned.efi"), join(scratch.path, "signed.efi")];
      writeFileSync(input, program, { flag: "wx", mode: 0o600 });
      const line = command.replaceAll("{input}", quoted(input)).replaceAll("{output}", quoted(output));
      await runTool("sh", ["-c", line], { timeoutMs: COMMAND_TIMEOUT_MS });
      const signed = readSigned(output, command);
      requireOnlySigned(program, signed, what);
      await verifyPe(signed, [certificateDer], `${what} as the command signed it`);
      return signed;
    },
  };
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

function readSigned(path: string, command: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw asSealrootError(error, "Cannot read the signed file", { path });
    throw new SealrootError("failed", `Cannot sign with the command ${command}: it left no file {output}`);
  }
}
