/** Errors as plain data, to pass between threads. Structured cloning would lose their fields. */
import { type ErrorCode, type ErrorData, SealrootError } from "../errors/index.ts";

/** An error as plain data. */
export type PlainError =
  | { readonly kind: "sealroot"; readonly code: ErrorCode; readonly message: string; readonly data: ErrorData }
  | { readonly kind: "system"; readonly message: string; readonly fields: Readonly<Record<string, string | number>> };

export function errorToData(error: unknown): PlainError {
  if (error instanceof SealrootError) {
    return { kind: "sealroot", code: error.code, message: error.message, data: error.data };
  }
  if (!(error instanceof Error)) return { kind: "system", message: String(error), fields: {} };
  const fields = Object.entries(error).filter((entry): entry is [string, string | number] =>
    ["string", "number"].includes(typeof entry[1]),
  );
  return { kind: "system", message: error.message, fields: Object.fromEntries(fields) };
}

export function errorFromData(data: PlainError): Error {
  if (data.kind === "sealroot") return new SealrootError(data.code, data.message, data.data);
  return Object.assign(new Error(data.message), data.fields);
}
