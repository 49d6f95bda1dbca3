/** Calls and replies (varlink.org, "Protocol"). */
import { corrupt } from "../errors/index.ts";

export interface VarlinkCall {
  /** Of the interface and the method together, such as `org.varlink.service.GetInfo`. */
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Several replies are wanted, all but the last marked as continued. */
  readonly more: boolean;
  /** No reply is wanted. */
  readonly oneway: boolean;
}

export interface VarlinkReply {
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Another follows. */
  readonly continues?: boolean;
  /** Name of the error, interface included. */
  readonly error?: string;
}

/** @throws SealrootError `corrupt` for bytes that are not a call */
export function parseCall(bytes: Uint8Array): VarlinkCall {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw corrupt("Cannot read the call: it is not JSON");
  }
  if (!isRecord(value)) throw corrupt("Cannot read the call: it is not an object");
  const { method, parameters = {}, more = false, oneway = false } = value;
  if (typeof method !== "string") throw corrupt("Cannot read the call: it names no method");
  if (!isRecord(parameters)) throw corrupt("Cannot read the call: its parameters are not an object");
  if (typeof more !== "boolean" || typeof oneway !== "boolean") {
    throw corrupt("Cannot read the call: more and oneway are true or false");
  }
  return { method, parameters, more, oneway };
}

/** The reply with its NUL. */
export function encodeReply({ error, continues, parameters }: VarlinkReply): Uint8Array {
  const message = {
    ...(error === undefined ? {} : { error }),
    parameters,
    ...(continues === true ? { continues } : {}),
  };
  return Buffer.from(`${JSON.stringify(message)}\0`, "utf8");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
