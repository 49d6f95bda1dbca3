/** A token of SoftHSM for one test file: a hardware security module as far as PKCS #11 can tell. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const SOFT_HSM_MODULE = "/usr/lib/softhsm/libsofthsm2.so";

export interface SoftHsm {
  /** For programs of their own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Makes a token with this PIN. */
  addToken(label: string, pin: string): void;
  /** Puts a private key (PKCS #8, PEM) into a token. */
  importKey(
    token: string,
    pin: string,
    key: { readonly path: string; readonly label: string; readonly id: string },
  ): void;
}

/** SoftHSM with its tokens below `directory`; also for this process, which may have one only. */
export function softHsm(directory: string): SoftHsm {
  const configuration = join(directory, "softhsm2.conf");
  const tokens = join(directory, "tokens");
  mkdirSync(tokens, { recursive: true });
  writeFileSync(configuration, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  setForLibraries("SOFTHSM2_CONF", configuration);
  const environment = { ...process.env, SOFTHSM2_CONF: configuration } as Record<string, string>;
  const util = (...words: string[]) =>
    void execFileSync("softhsm2-util", words, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  return {
    environment,
    addToken: (label, pin) => util("--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "87654321"),
    importKey: (token, pin, { path, label, id }) =>
      util("--import", path, "--token", token, "--label", label, "--id", id, "--pin", pin),
  };
}

/** Node sets the variable of the process itself, which libraries read. */
function setForLibraries(name: string, value: string): void {
  process.env[name] = value;
}
