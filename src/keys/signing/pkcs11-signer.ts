/** A key of a smart card, a hardware security module or SoftHSM, found by its PKCS #11 URI. It never leaves there. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import {
  onProcessExit,
  type Pkcs11Attribute,
  Pkcs11Error,
  Pkcs11Module,
  type Pkcs11Token,
  pkcs11Number,
} from "../../platform/index.ts";
import { type Pkcs11Uri, parsePkcs11Uri, shownPkcs11Uri } from "./pkcs11-uri.ts";
import { readSecret, type SecretSource } from "./secret.ts";

/** What there is of the key outside. */
export interface Pkcs11Key {
  /** Of the certificate that the token keeps beside the key, DER; undefined when it keeps none. */
  readonly certificateDer: Uint8Array | undefined;
  /** An RSA PKCS #1 v1.5 signature with SHA-256. @throws SealrootError `failed`, `no-access` */
  sign(bytes: Uint8Array): Uint8Array;
}

/** p11-kit's module, behind which all configured ones are (p11-kit(8)). */
const PROXIES = [
  "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so",
  "/usr/lib/aarch64-linux-gnu/p11-kit-proxy.so",
  "/usr/lib64/p11-kit-proxy.so",
  "/usr/lib/p11-kit-proxy.so",
];

/** pkcs11t.h: CKA_CLASS, CKA_LABEL, CKA_VALUE, CKA_ID, CKA_ALWAYS_AUTHENTICATE; CKO_CERTIFICATE, CKO_PRIVATE_KEY. */
const CLASS = 0;
const LABEL = 3;
const VALUE = 0x11;
const ID = 0x102;
const ALWAYS_AUTHENTICATE = 0x202;
const CERTIFICATE = pkcs11Number(1);
const PRIVATE_KEY = pkcs11Number(3);
/** CKU_USER, CKU_CONTEXT_SPECIFIC. */
const USER = 1;
const THIS_SIGNATURE = 2;
const CKM_RSA_PKCS = 0x01;
const CKM_SHA256_RSA_PKCS = 0x40;
/** DigestInfo of SHA-256 up to the digest (RFC 8017 9.2, note 1), for tokens that leave hashing to others. */
const SHA256_DIGEST_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex");

/**
 * Opens the module, finds token and key, and logs in. The session lasts as long as the process.
 *
 * @param secret for the PIN, unless the URI says where it is
 * @throws SealrootError `usage` for a bad URI; `missing-tool` without module; `not-found` for a token or key that is not there,
 *   `conflict` for several; `no-access` for a wrong PIN or none
 */
export async function openPkcs11Key(text: string, secret: SecretSource): Promise<Pkcs11Key> {
  const uri = parsePkcs11Uri(text);
  const shown = shownPkcs11Uri(text);
  const module = openModule(uri, shown);
  onProcessExit(() => module[Symbol.dispose]());
  try {
    const token = onlyToken(module.tokens(), uri, shown);
    const session = module.openSession(token.slot);
    try {
      const pin = token.needsLogin ? await pinOf(token, uri, secret, shown) : null;
      if (token.needsLogin) module.login(session, USER, pin);
      const key = onlyKey(module, session, uri, shown);
      return {
        certificateDer: certificateBeside(module, session, key),
        sign: (bytes) => explained(shown, () => signWith(module, session, key, pin, bytes)),
      };
    } catch (error) {
      module.closeSession(session);
      throw error;
    }
  } catch (error) {
    throw explain(error, shown);
  }
}

function openModule({ modulePath }: Pkcs11Uri, shown: string): Pkcs11Module {
  const path = modulePath ?? PROXIES.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new SealrootError("missing-tool", `Cannot use the key ${shown}: p11-kit's module is not installed`, {
      expected: PROXIES.join(" or "),
      hint: "install p11-kit (Debian: p11-kit-modules), or name your module with ?module-path=FILE",
    });
  }
  try {
    return Pkcs11Module.open(path);
  } catch (error) {
    throw asSealrootError(error, `Cannot use the PKCS #11 module ${path}`, { path });
  }
}

function onlyToken(tokens: readonly Pkcs11Token[], uri: Pkcs11Uri, shown: string): Pkcs11Token {
  const matches = (wanted: string | undefined, actual: string) => wanted === undefined || wanted === actual;
  const found = tokens.filter(
    (token) =>
      matches(uri.token, token.label) &&
      matches(uri.manufacturer, token.manufacturer) &&
      matches(uri.model, token.model) &&
      matches(uri.serial, token.serial) &&
      (uri.slotId === undefined || uri.slotId === token.slot),
  );
  const [token] = found;
  if (token !== undefined && found.length === 1) return token;
  const there = tokens.map(({ label, serial }) => `${label} (serial ${serial})`).join(", ") || "none";
  const state = found.length === 0 ? "no such token is there" : `${found.length} tokens match`;
  throw new SealrootError(found.length === 0 ? "not-found" : "conflict", `Cannot use the key ${shown}: ${state}`, {
    actual: there,
    ...(found.length > 1 && { hint: "add serial=… to the URI" }),
  });
}

async function pinOf(
  token: Pkcs11Token,
  uri: Pkcs11Uri,
  secret: SecretSource,
  shown: string,
): Promise<Uint8Array | null> {
  if (token.asksItself) return null;
  if (uri.pinValue !== undefined) return Buffer.from(uri.pinValue);
  const pin = await readSecret("PIN", `token ${token.label}`, { ...secret, file: uri.pinSource ?? secret.file });
  if (pin !== undefined) return pin;
  throw new SealrootError("no-access", `Cannot use the key ${shown}: its PIN is not known`, {
    hint: "add ?pin-source=file:FILE to the URI, or --passphrase-file FILE",
  });
}

function onlyKey(module: Pkcs11Module, session: number, uri: Pkcs11Uri, shown: string): number {
  const wanted: Pkcs11Attribute[] = [{ type: CLASS, value: PRIVATE_KEY }];
  if (uri.object !== undefined) wanted.push({ type: LABEL, value: Buffer.from(uri.object) });
  if (uri.id !== undefined) wanted.push({ type: ID, value: uri.id });
  const keys = module.findObjects(session, wanted);
  const [key] = keys;
  if (key !== undefined && keys.length === 1) return key;
  const state = keys.length === 0 ? "the token has no such private key" : `${keys.length} private keys match`;
  throw new SealrootError(keys.length === 0 ? "not-found" : "conflict", `Cannot use the key ${shown}: ${state}`, {
    hint:
      keys.length === 0 ? "pkcs11-tool --list-objects --login shows what it has" : "add object=… or id=… to the URI",
  });
}

/** The certificate with the key's id, which is how tokens keep them together (PKCS #11, 4.6.3). */
function certificateBeside(module: Pkcs11Module, session: number, key: number): Uint8Array | undefined {
  const id = module.attribute(session, key, ID);
  if (id === undefined || id.length === 0) return undefined;
  const found = module.findObjects(session, [
    { type: CLASS, value: CERTIFICATE },
    { type: ID, value: id },
  ]);
  const [certificate] = found;
  if (certificate === undefined || found.length > 1) return undefined;
  const der = module.attribute(session, certificate, VALUE);
  return der === undefined ? undefined : Uint8Array.from(der);
}

function signWith(
  module: Pkcs11Module,
  session: number,
  key: number,
  pin: Uint8Array | null,
  bytes: Uint8Array,
): Uint8Array {
  const asksAlways = module.attribute(session, key, ALWAYS_AUTHENTICATE)?.[0] === 1;
  const authenticate = asksAlways ? () => module.login(session, THIS_SIGNATURE, pin) : undefined;
  try {
    return module.sign(session, CKM_SHA256_RSA_PKCS, key, bytes, authenticate);
  } catch (error) {
    if (!(error instanceof Pkcs11Error) || error.code !== "CKR_MECHANISM_INVALID") throw error;
    const digest = createHash("sha256").update(bytes).digest();
    return module.sign(session, CKM_RSA_PKCS, key, Buffer.concat([SHA256_DIGEST_INFO, digest]), authenticate);
  }
}

function explained<T>(shown: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explain(error, shown);
  }
}

function explain(error: unknown, shown: string): unknown {
  if (!(error instanceof Pkcs11Error)) return error;
  const isAccess = /^CKR_PIN_|^CKR_USER_/.test(error.code);
  const what = `Cannot use the key ${shown}: ${error.message}`;
  return new SealrootError(isAccess ? "no-access" : "failed", what, {
    actual: error.code,
    ...(error.code === "CKR_PIN_LOCKED" && { hint: "unlock the token with its security officer's PIN" }),
  });
}
