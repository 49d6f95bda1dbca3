/** OpenPGP signatures, verified by gpgv, the verifier that package managers trust. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { runTool, temporaryDirectory } from "../platform/index.ts";
import type { LoadedMaterial } from "./material.ts";
import { rejected } from "./subject.ts";

const TIMEOUT_MS = 60_000;
const CONTENT_MAX_BYTES = 4 << 20;
const ARMOR =
  /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[!-9;-~]+: .*\r?\n)*\r?\n([A-Za-z0-9+/=\s]+?)(?:\r?\n=[A-Za-z0-9+/]{4})?\s*-----END PGP PUBLIC KEY BLOCK-----/g;

/** Lines of status with which gpgv says that a signature does not count (GnuPG, doc/DETAILS). */
const BAD_STATUS = ["BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NODATA", "UNEXPECTED", "FAILURE"];

/**
 * The content of a signed message, once gpgv has found exactly one good signature on it by one of the keys.
 * @param message binary, not armoured
 * @param keyring as {@link openPgpKeyring} makes it
 * @throws SealrootError `untrusted`, `missing-tool`
 */
export async function verifyOpenPgp(message: Uint8Array, keyring: Uint8Array): Promise<Uint8Array> {
  using directory = temporaryDirectory({ purpose: "gpgv" });
  const [keys, signed] = [join(directory.path, "keys.gpg"), join(directory.path, "message")];
  await writeFile(keys, keyring);
  await writeFile(signed, message);
  const options = ["--homedir", directory.path, "--status-fd", "2", "--keyring", keys, "--output", "-"];
  const { exitCode, stdout, stderr } = await runTool("gpgv", [...options, signed], {
    successCodes: [0, 1, 2],
    timeoutMs: TIMEOUT_MS,
    outputLimitBytes: CONTENT_MAX_BYTES,
  });
  const statuses = [...stderr.matchAll(/^\[GNUPG:\] ([A-Z_]+)/gm)].map((match) => match[1] ?? "");
  const count = (status: string) => statuses.filter((found) => found === status).length;
  const bad = statuses.find((status) => BAD_STATUS.includes(status));
  if (bad !== undefined || exitCode !== 0) throw rejected(`Invalid GPG signature: ${bad ?? `exit code ${exitCode}`}`);
  if (count("NEWSIG") !== 1 || count("GOODSIG") !== 1 || count("VALIDSIG") !== 1) {
    throw rejected(`Unexpected GPG signature count ${count("NEWSIG")}`);
  }
  return stdout;
}

/**
 * One binary keyring of all keys, which is what gpgv reads.
 * @throws SealrootError `corrupt` for an invalid key
 */
export function openPgpKeyring(keys: readonly LoadedMaterial[]): Uint8Array {
  return Buffer.concat(keys.map(binaryKeys));
}

/** Key files are usually armoured (RFC 9580 6.2). */
function binaryKeys({ bytes, origin }: LoadedMaterial): Uint8Array {
  // The first octet of a packet has its high bit set (RFC 9580 4.2); that of armour does not.
  if (((bytes[0] ?? 0) & 0x80) !== 0) return bytes;
  const blocks = [...Buffer.from(bytes).toString("latin1").matchAll(ARMOR)];
  if (blocks.length === 0) {
    throw new SealrootError("corrupt", `Cannot read the OpenPGP key of ${origin}: it is neither binary nor armoured`, {
      path: origin,
    });
  }
  return Buffer.concat(blocks.map(([, body = ""]) => Buffer.from(body.replace(/\s/g, ""), "base64")));
}
