/** How requests, answers and errors cross the border between threads. Structured cloning would lose an error's fields. */
import { parentPort, type Transferable } from "node:worker_threads";
import { type ErrorCode, type ErrorData, SealrootError } from "../errors/index.ts";

export interface WorkerRequest<Request> {
  readonly id: number;
  readonly request: Request;
}

export type WorkerReply<Response> =
  | { readonly id: number; readonly response: Response }
  | { readonly id: number; readonly error: PlainError };

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

/** What a handler returns when parts of its answer shall move instead of being copied. */
export class TransferredResponse<Response> {
  readonly response: Response;
  readonly transfer: readonly Transferable[];

  constructor(response: Response, transfer: readonly Transferable[]) {
    this.response = response;
    this.transfer = transfer;
  }
}

/**
 * To be called by a worker module: answers each request of the pool with what `handle` returns or throws, one after the
 * other.
 */
export function serveRequests<Request, Response>(
  handle: (request: Request) => Response | TransferredResponse<Response>,
): void {
  parentPort?.on("message", ({ id, request }: WorkerRequest<Request>) => {
    try {
      const answer = handle(request);
      if (answer instanceof TransferredResponse) {
        parentPort?.postMessage({ id, response: answer.response }, [...answer.transfer]);
      } else {
        parentPort?.postMessage({ id, response: answer });
      }
    } catch (error) {
      parentPort?.postMessage({ id, error: errorToData(error) });
    }
  });
}
