/** Which code does the work on this machine, for `sealroot --version --verbose`. */
import type { Availability } from "./availability.ts";
import { igzip } from "./igzip-library.ts";
import { multiBufferHasher } from "./multi-buffer-hasher.ts";

export interface PrimitiveReport {
  readonly work: string;
  /** The library with its version, or Node's module. */
  readonly by: string;
  /** Why it is not the library. */
  readonly reason: string | undefined;
}

/** Opens both libraries to find out. */
export function primitivesReport(): PrimitiveReport[] {
  return [lineOf("fs-verity blocks", multiBufferHasher(), "node:crypto"), lineOf("gunzip", igzip(), "node:zlib")];
}

function lineOf(work: string, found: Availability<object>, portable: string): PrimitiveReport {
  if (found.native === undefined) return { work, by: portable, reason: found.reason };
  return { work, by: found.name, reason: undefined };
}
