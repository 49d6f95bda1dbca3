/** Reading strict documents: every key is known, every value of its kind, and errors say where. */
import { corrupt, type SealrootError } from "../errors/index.ts";
import { isObject, type JsonObject, type JsonValue } from "./strict-json.ts";

/** An object of a document with its place, such as `transports.docker."quay.io"[0]`. */
export class Fields {
  readonly object: JsonObject;
  readonly #what: string;
  readonly #place: string;

  private constructor(object: JsonObject, what: string, place: string) {
    this.object = object;
    this.#what = what;
    this.#place = place;
  }

  /**
   * @param what names the document in errors
   * @param place of the value in it; empty for the document itself
   * @throws SealrootError `corrupt` when the value is not an object
   */
  static of(value: JsonValue | undefined, what: string, place = ""): Fields {
    if (!isObject(value)) throw corrupt(`Cannot read ${what}: ${place === "" ? "it" : place} is not an object`);
    return new Fields(value, what, place);
  }

  /**
   * Refuses keys that are not among `known`; keys differ by case.
   * @throws SealrootError `corrupt`
   */
  only(known: readonly string[]): void {
    for (const key of this.object.keys()) {
      if (!known.includes(key)) throw this.refused(key, `is not known here; known are ${known.join(", ")}`);
    }
  }

  /** As {@link only}, and each of them must be there. */
  exactly(keys: readonly string[]): void {
    this.only(keys);
    for (const key of keys) if (!this.object.has(key)) throw this.refused(key, "is missing");
  }

  has(key: string): boolean {
    return this.object.has(key);
  }

  value(key: string): JsonValue | undefined {
    return this.object.get(key);
  }

  /** A non-empty string. */
  text(key: string): string {
    const value = this.object.get(key);
    if (typeof value !== "string" || value === "") throw this.refused(key, "is not a non-empty string");
    return value;
  }

  optionalText(key: string): string | undefined {
    return this.object.has(key) ? this.text(key) : undefined;
  }

  integer(key: string): number {
    const value = this.object.get(key);
    if (typeof value !== "number" || !Number.isSafeInteger(value)) throw this.refused(key, "is not an integer");
    return value;
  }

  /** The bytes of a string in standard base64. */
  base64(key: string): Uint8Array {
    return this.#decoded(this.text(key), key);
  }

  /** A list of strings with at least one. */
  texts(key: string): string[] {
    return this.list(key).map((value) => {
      if (typeof value !== "string" || value === "") throw this.refused(key, "holds something other than strings");
      return value;
    });
  }

  base64s(key: string): Uint8Array[] {
    return this.texts(key).map((text) => this.#decoded(text, key));
  }

  /** A list with at least one element. */
  list(key: string): readonly JsonValue[] {
    const value = this.object.get(key);
    if (!Array.isArray(value)) throw this.refused(key, "is not a list");
    if (value.length === 0) throw this.refused(key, "is an empty list");
    return value;
  }

  inner(key: string): Fields {
    return Fields.of(this.object.get(key), this.#what, this.placeOf(key));
  }

  /** Exactly one, or at most one, of `keys`; undefined if there is none and none is needed. */
  oneOf(keys: readonly string[], needed: "needed" | "optional"): string | undefined {
    const present = keys.filter((key) => this.object.has(key));
    if (present.length > 1) throw this.refused(present[1] ?? "", `excludes ${present[0]}`);
    if (present.length === 0 && needed === "needed") {
      throw corrupt(`Cannot read ${this.#what}: ${this.#here()} has none of ${keys.join(", ")}`);
    }
    return present[0];
  }

  placeOf(key: string): string {
    const name = /^\w+$/.test(key) ? key : JSON.stringify(key);
    return this.#place === "" ? name : `${this.#place}.${name}`;
  }

  refused(key: string, problem: string): SealrootError {
    return corrupt(`Cannot read ${this.#what}: ${this.placeOf(key)} ${problem}`);
  }

  #here(): string {
    return this.#place === "" ? "it" : this.#place;
  }

  #decoded(text: string, key: string): Uint8Array {
    const bytes = decodeBase64(text);
    if (bytes === undefined) throw this.refused(key, "is not base64");
    return bytes;
  }
}

/** The bytes of standard base64 with its padding (RFC 4648 4); undefined for anything else, line breaks included. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}
