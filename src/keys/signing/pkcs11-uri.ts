/** PKCS #11 URIs (RFC 7512): which key of which token, and how to get at it. */
import { SealrootError } from "../../errors/index.ts";

export interface Pkcs11Uri {
  /** What the token must say of itself; absent matches any. */
  readonly token: string | undefined;
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  readonly slotId: number | undefined;
  /** CKA_LABEL and CKA_ID of the objects. */
  readonly object: string | undefined;
  readonly id: Uint8Array | undefined;
  readonly pinValue: string | undefined;
  /** A file with the PIN. */
  readonly pinSource: string | undefined;
  /** The module's file; absent: the one that p11-kit configures. */
  readonly modulePath: string | undefined;
}

const SCHEME = "pkcs11:";
const PATH_NAMES = ["token", "manufacturer", "model", "serial", "slot-id", "object", "id", "type"] as const;
/** Ignored: they describe the module, which is named by its file or p11-kit. */
const IGNORED = [
  "library-manufacturer",
  "library-description",
  "library-version",
  "slot-manufacturer",
  "slot-description",
];
const QUERY_NAMES = ["pin-value", "pin-source", "module-path"] as const;

export function isPkcs11Uri(text: string): boolean {
  return text.startsWith(SCHEME);
}

/** The URI without the PIN it may hold, for messages. */
export function shownPkcs11Uri(text: string): string {
  return text.replace(/(pin-value=)[^&]*/g, "$1…");
}

/**
 * @throws SealrootError `usage` for another scheme, an attribute that is not known, given twice or not to be decoded;
 *   `type` other than `private`
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  const refuse = (reason: string) =>
    new SealrootError("usage", `Cannot use the key ${shownPkcs11Uri(text)}: ${reason}`, {
      hint: "RFC 7512, as in pkcs11:token=NAME;object=NAME?pin-source=file:/run/pin",
    });
  if (!isPkcs11Uri(text)) throw refuse("it is not a PKCS #11 URI");
  const [path = "", query = "", ...rest] = text.slice(SCHEME.length).split("?");
  if (rest.length > 0) throw refuse("it has two question marks");
  const attributes = new Map<string, string>();
  const read = (part: string, separator: string, known: readonly string[]) => {
    for (const item of part.split(separator)) {
      if (item === "") continue;
      const equals = item.indexOf("=");
      const name = item.slice(0, Math.max(equals, 0));
      if (IGNORED.includes(name)) continue;
      if (!known.includes(name)) throw refuse(`"${equals < 0 ? item : name}" is not an attribute that is known`);
      if (attributes.has(name)) throw refuse(`it has ${name} twice`);
      attributes.set(name, item.slice(equals + 1));
    }
  };
  read(path, ";", PATH_NAMES);
  read(query, "&", QUERY_NAMES);
  const decoded = (name: string): string | undefined => {
    const value = attributes.get(name);
    try {
      return value === undefined ? undefined : decodeURIComponent(value);
    } catch {
      throw refuse(`${name} is not percent-encoded UTF-8`);
    }
  };
  const type = decoded("type");
  if (type !== undefined && type !== "private") throw refuse(`type=${type} is not a private key`);
  const slot = decoded("slot-id");
  if (slot !== undefined && !/^\d{1,15}$/.test(slot)) throw refuse("slot-id is not a number");
  const id = attributes.get("id");
  const source = decoded("pin-source");
  const pinSource = source?.replace(/^file:(?:\/\/(?=\/))?/, "");
  if (pinSource?.startsWith("|") === true) throw refuse("a PIN from a program is not supported");
  const modulePath = decoded("module-path");
  if (modulePath !== undefined && !modulePath.startsWith("/")) throw refuse("module-path is not an absolute path");
  return {
    token: decoded("token"),
    manufacturer: decoded("manufacturer"),
    model: decoded("model"),
    serial: decoded("serial"),
    slotId: slot === undefined ? undefined : Number(slot),
    object: decoded("object"),
    id: id === undefined ? undefined : percentBytes(id, refuse),
    pinValue: decoded("pin-value"),
    pinSource,
    modulePath,
  };
}

/** `id` is bytes, mostly written %01%02 (RFC 7512 2.3). */
function percentBytes(text: string, refuse: (reason: string) => SealrootError): Uint8Array {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw refuse("id is not percent-encoded");
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/%[0-9A-Fa-f]{2}|[\s\S]/g)) {
    bytes.push(
      ...(part.length === 3 && part.startsWith("%") ? [Number.parseInt(part.slice(1), 16)] : Buffer.from(part)),
    );
  }
  return Uint8Array.from(bytes);
}
