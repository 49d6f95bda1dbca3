/** Checking the contents of objects. */
import { closeSync, fstatSync } from "node:fs";
import { toHex } from "../../bytes/index.ts";
import { hasErrno, reasonOf } from "../../errors/index.ts";
import { measureVerity, readUpTo } from "../../platform/index.ts";
import { ALGORITHM_NUMBER, VerityHasher } from "../../verity/index.ts";
import { readOfflineDescriptor } from "../object-protection.ts";
import { type ObjectSettings, objectFilePath } from "../object-settings.ts";
import { openRegularFile } from "../regular-file.ts";
import { BATCHED_MAX_BYTES, DigestBatch } from "./digest-batch.ts";

interface CheckObjectsInput {
  readonly settings: ObjectSettings;
  readonly objectIds: readonly string[];
}

/** The ways in which an object may not match its name, as a check's report calls them. */
export type ObjectFaultKind =
  | "object-open-failed"
  | "object-digest-mismatch"
  | "object-verity-failed"
  | "object-verity-missing";

/** What is wrong with an object. */
export interface ObjectFault {
  readonly kind: ObjectFaultKind;
  readonly detail?: string;
}

const CHUNK_BYTES = 1 << 20;
let buffer: Buffer | undefined;

/**
 * Compares each object with its name: the kernel's digest where there is fs-verity, and always the digest of the bytes,
 * since the kernel measures only the stored descriptor and notices damaged data when they are read.
 *
 * @returns for each object what is wrong with it; undefined for a good one
 */
export function checkObjects({ settings, objectIds }: CheckObjectsInput): (ObjectFault | undefined)[] {
  const faults: (ObjectFault | undefined)[] = objectIds.map(() => undefined);
  const small = new DigestBatch<number>(settings.algorithm, (index, digest) => {
    faults[index] = digestFault(digest, objectIds[index]);
  });
  for (const [index, objectId] of objectIds.entries()) faults[index] = checkObject(settings, objectId, small, index);
  small.finish();
  return faults;
}

/** @returns undefined too when the batch will tell */
function checkObject(
  settings: ObjectSettings,
  objectId: string,
  small: DigestBatch<number>,
  index: number,
): ObjectFault | undefined {
  let fd: number;
  try {
    fd = openRegularFile(objectFilePath(settings, objectId));
  } catch (error) {
    return { kind: "object-open-failed", detail: reasonOf(error) };
  }
  try {
    return measuredFault(settings, fd, objectId) ?? contentFault(settings, fd, objectId, small, index);
  } catch (error) {
    const detail = reasonOf(error);
    return { kind: hasErrno(error, "EIO") ? "object-digest-mismatch" : "object-verity-failed", detail };
  } finally {
    closeSync(fd);
  }
}

function measuredFault(settings: ObjectSettings, fd: number, objectId: string): ObjectFault | undefined {
  if (settings.protection === "offline") {
    const { digest } = readOfflineDescriptor(fd);
    return digest === objectId ? undefined : { kind: "object-digest-mismatch", detail: `measured ${digest}` };
  }
  const measured = measureVerity(fd);
  if (measured.state !== "enabled") {
    return settings.protection === "secure" ? { kind: "object-verity-missing" } : undefined;
  }
  const digest = toHex(measured.digest);
  if (digest === objectId && measured.algorithmNumber === ALGORITHM_NUMBER[settings.algorithm]) return undefined;
  return { kind: "object-digest-mismatch", detail: `measured ${digest}` };
}

function contentFault(
  settings: ObjectSettings,
  fd: number,
  objectId: string,
  small: DigestBatch<number>,
  index: number,
): ObjectFault | undefined {
  const sizeBytes = settings.protection === "offline" ? readOfflineDescriptor(fd).sizeBytes : fstatSync(fd).size;
  if (sizeBytes <= BATCHED_MAX_BYTES) {
    small.add(index, readUpTo(fd, small.room(sizeBytes), 0));
    return undefined;
  }
  buffer ??= Buffer.allocUnsafe(CHUNK_BYTES);
  const hasher = new VerityHasher(settings.algorithm);
  for (let at = 0; at < sizeBytes; ) {
    const length = readUpTo(fd, buffer.subarray(0, Math.min(buffer.length, sizeBytes - at)), at);
    if (length === 0) break;
    hasher.update(buffer.subarray(0, length));
    at += length;
  }
  return digestFault(hasher.hexDigest(), objectId);
}

function digestFault(digest: string, objectId: string | undefined): ObjectFault | undefined {
  return digest === objectId ? undefined : { kind: "object-digest-mismatch", detail: `measured ${digest}` };
}
