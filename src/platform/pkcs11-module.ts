/**
 * Modules of PKCS #11 (OASIS PKCS #11 Base Specification 2.40 and 3.0): the programs that talk to smart cards and hardware
 * security modules, called through koffi. Only what it takes to find a key and sign with it.
 */
import { createRequire } from "node:module";
import type koffi from "koffi";
import { resultName } from "./pkcs11-results.ts";

/** Functions of CK_FUNCTION_LIST by their place in it (pkcs11f.h), after the version. CK_ULONG is C's unsigned long. */
const FUNCTIONS = {
  C_Initialize: [0, "(void *)"],
  C_Finalize: [1, "(void *)"],
  C_GetSlotList: [4, "(uint8_t, void *, void *)"],
  C_GetTokenInfo: [6, "(unsigned long, void *)"],
  C_OpenSession: [12, "(unsigned long, unsigned long, void *, void *, void *)"],
  C_CloseSession: [13, "(unsigned long)"],
  C_Login: [18, "(unsigned long, unsigned long, void *, unsigned long)"],
  C_GetAttributeValue: [24, "(unsigned long, unsigned long, _Inout_ SEALROOT_CK_TRIPLE *, unsigned long)"],
  C_FindObjectsInit: [26, "(unsigned long, SEALROOT_CK_TRIPLE *, unsigned long)"],
  C_FindObjects: [27, "(unsigned long, void *, unsigned long, void *)"],
  C_FindObjectsFinal: [28, "(unsigned long)"],
  C_SignInit: [42, "(unsigned long, SEALROOT_CK_TRIPLE *, unsigned long)"],
  C_Sign: [43, "(unsigned long, void *, unsigned long, void *, void *)"],
} as const;

type FunctionName = keyof typeof FUNCTIONS;

/** CK_VERSION, padded to the alignment of the pointers that follow. */
const FUNCTION_LIST_HEADER_BYTES = 8;
const WORD_BYTES = 8;
/** CK_TOKEN_INFO: label, manufacturerID (32 bytes each), model, serialNumber (16 each), flags; 208 bytes in all. */
const TOKEN_INFO_BYTES = 208;
const CKF_LOGIN_REQUIRED = 0x4n;
const CKF_PROTECTED_AUTHENTICATION_PATH = 0x100n;
const CKF_TOKEN_INITIALIZED = 0x400n;
/** CKF_SERIAL_SESSION: must always be set. */
const SERIAL_SESSION = 4;
const CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191;
const CKR_USER_ALREADY_LOGGED_IN = 0x100;
const SLOTS_MAX = 1024;
const OBJECTS_MAX = 64;
const SIGNATURE_BYTES_MAX = 4096;

/** What a module answered, `code` as the specification names it, such as `CKR_PIN_INCORRECT`. */
export class Pkcs11Error extends Error {
  readonly code: string;
  constructor(call: string, result: number) {
    super(`${call}: ${resultName(result)}`);
    this.name = "Pkcs11Error";
    this.code = resultName(result);
  }
}

export interface Pkcs11Token {
  readonly slot: number;
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly needsLogin: boolean;
  /** It asks for the PIN itself, on a keypad of its own. */
  readonly asksItself: boolean;
}

/** One attribute to search for: its type and value. */
export interface Pkcs11Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

/** A number as attributes hold it: C's unsigned long. */
export function pkcs11Number(value: number): Uint8Array {
  const bytes = Buffer.alloc(WORD_BYTES);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

interface Triple {
  readonly type: number;
  readonly pValue: Uint8Array | null;
  readonly ulValueLen: number;
}

/** A loaded module. Calls block, as a card does that waits to be touched. */
export class Pkcs11Module {
  readonly #call: (name: FunctionName, ...args: readonly unknown[]) => number;
  #isOurs = false;

  private constructor(call: (name: FunctionName, ...args: readonly unknown[]) => number) {
    this.#call = call;
  }

  /** @throws Error when the file is not a module; Pkcs11Error when it does not start */
  static open(path: string): Pkcs11Module {
    const { koffi, list } = functionListOf(path);
    const module = new Pkcs11Module((name, ...args) => {
      const [index, parameters] = FUNCTIONS[name];
      const address = koffi.decode(list, FUNCTION_LIST_HEADER_BYTES + index * WORD_BYTES, "void *");
      return koffi.call(address, prototypeOf(koffi, name, parameters), ...args) as number;
    });
    const result = module.#call("C_Initialize", null);
    if (result !== 0 && result !== CKR_CRYPTOKI_ALREADY_INITIALIZED) throw new Pkcs11Error("C_Initialize", result);
    module.#isOurs = result === 0;
    return module;
  }

  /** Ends all sessions. */
  [Symbol.dispose](): void {
    if (this.#isOurs) this.#call("C_Finalize", null);
  }

  /** The tokens that are there now. */
  tokens(): Pkcs11Token[] {
    const slots = Buffer.alloc(SLOTS_MAX * WORD_BYTES);
    const count = Buffer.from(pkcs11Number(SLOTS_MAX));
    this.#run("C_GetSlotList", 1, slots, count);
    return numbersOf(slots, count).flatMap((slot) => this.#token(slot) ?? []);
  }

  #token(slot: number): Pkcs11Token | undefined {
    const info = Buffer.alloc(TOKEN_INFO_BYTES);
    // Taken out meanwhile, or not to be recognised.
    if (this.#call("C_GetTokenInfo", slot, info) !== 0) return undefined;
    const text = (start: number, end: number) => info.toString("utf8", start, end).replace(/[ \0]+$/, "");
    const flags = info.readBigUInt64LE(96);
    if ((flags & CKF_TOKEN_INITIALIZED) === 0n) return undefined;
    return {
      ...{ slot, label: text(0, 32), manufacturer: text(32, 64), model: text(64, 80), serial: text(80, 96) },
      needsLogin: (flags & CKF_LOGIN_REQUIRED) !== 0n,
      asksItself: (flags & CKF_PROTECTED_AUTHENTICATION_PATH) !== 0n,
    };
  }

  /** @returns the handle of a session that only reads */
  openSession(slot: number): number {
    const handle = Buffer.alloc(WORD_BYTES);
    this.#run("C_OpenSession", slot, SERIAL_SESSION, null, null, handle);
    return Number(handle.readBigUInt64LE());
  }

  closeSession(session: number): void {
    this.#call("C_CloseSession", session);
  }

  /**
   * @param user CKU_USER (1), or CKU_CONTEXT_SPECIFIC (2) for a key that asks at each use
   * @param pin null for a token that asks itself
   */
  login(session: number, user: 1 | 2, pin: Uint8Array | null): void {
    const result = this.#call("C_Login", session, user, pin, pin?.length ?? 0);
    if (result !== 0 && result !== CKR_USER_ALREADY_LOGGED_IN) throw new Pkcs11Error("C_Login", result);
  }

  /** Handles of the objects that have all these attributes. */
  findObjects(session: number, wanted: readonly Pkcs11Attribute[]): number[] {
    const template = wanted.map(({ type, value }) => ({ type, pValue: value, ulValueLen: value.length }));
    this.#run("C_FindObjectsInit", session, template, template.length);
    const handles = Buffer.alloc(OBJECTS_MAX * WORD_BYTES);
    const count = Buffer.alloc(WORD_BYTES);
    try {
      this.#run("C_FindObjects", session, handles, OBJECTS_MAX, count);
    } finally {
      this.#call("C_FindObjectsFinal", session);
    }
    return numbersOf(handles, count);
  }

  /** The value of an attribute; undefined when the object has none or does not show it. */
  attribute(session: number, object: number, type: number, bytesMax = 65_536): Uint8Array | undefined {
    const value = Buffer.alloc(bytesMax);
    const read: Triple[] = [{ type, pValue: value, ulValueLen: bytesMax }];
    if (this.#call("C_GetAttributeValue", session, object, read, 1) !== 0) return undefined;
    const length = read[0]?.ulValueLen ?? 0;
    return length <= bytesMax ? value.subarray(0, length) : undefined;
  }

  /**
   * @param mechanism without parameters, such as CKM_SHA256_RSA_PKCS
   * @param authenticate is called for a key that wants the PIN for each signature
   */
  sign(
    session: number,
    mechanism: number,
    key: number,
    bytes: Uint8Array,
    authenticate: (() => void) | undefined,
  ): Uint8Array {
    this.#run("C_SignInit", session, [{ type: mechanism, pValue: null, ulValueLen: 0 }], key);
    authenticate?.();
    const signature = Buffer.alloc(SIGNATURE_BYTES_MAX);
    const length = Buffer.from(pkcs11Number(SIGNATURE_BYTES_MAX));
    this.#run("C_Sign", session, bytes, bytes.length, signature, length);
    return Uint8Array.from(signature.subarray(0, Number(length.readBigUInt64LE())));
  }

  #run(name: FunctionName, ...args: readonly unknown[]): void {
    const result = this.#call(name, ...args);
    if (result !== 0) throw new Pkcs11Error(name, result);
  }
}

function numbersOf(words: Buffer, count: Buffer): number[] {
  const length = Number(count.readBigUInt64LE());
  return Array.from({ length }, (_, index) => Number(words.readBigUInt64LE(index * WORD_BYTES)));
}

type Koffi = typeof koffi;

const prototypes = new Map<FunctionName, ReturnType<Koffi["proto"]>>();

function prototypeOf(module: Koffi, name: FunctionName, parameters: string): ReturnType<Koffi["proto"]> {
  const made = prototypes.get(name) ?? module.proto(`unsigned long sealroot_${name}${parameters}`);
  prototypes.set(name, made);
  return made;
}

let hasTypes = false;

/** koffi unloads a library that nothing refers to any more, and the addresses of its functions are no reference. */
const loadedLibraries: unknown[] = [];

/** The one function that every module must export leads to the others (PKCS #11, 5.4 C_GetFunctionList). */
function functionListOf(path: string): { readonly koffi: Koffi; readonly list: unknown } {
  const module = createRequire(import.meta.url)("koffi") as Koffi;
  // CK_ATTRIBUTE and CK_MECHANISM have the same shape.
  if (!hasTypes)
    module.struct("SEALROOT_CK_TRIPLE", { type: "unsigned long", pValue: "void *", ulValueLen: "unsigned long" });
  hasTypes = true;
  const found: unknown[] = [null];
  const library = module.load(path);
  loadedLibraries.push(library);
  const getFunctionList = library.func("unsigned long C_GetFunctionList(_Out_ void **list)");
  const result = getFunctionList(found) as number;
  if (result !== 0) throw new Pkcs11Error("C_GetFunctionList", result);
  return { koffi: module, list: found[0] };
}
