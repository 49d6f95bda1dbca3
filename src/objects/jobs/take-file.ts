/** Open files as objects: blocks shared, or a hard link, or a copy (spec/repository.md 3.2). */
import { readSync } from "node:fs";
import { VerityHasher } from "../../verity/index.ts";
import { cloneFile, linkFile } from "../import-file.ts";
import { ObjectDraft, type StoredObject } from "../object-draft.ts";
import { stateOfExistingObject } from "../object-protection.ts";
import type { ObjectSettings } from "../object-settings.ts";

/** An open file of this process to be made an object. */
interface TakeFileInput {
  readonly settings: ObjectSettings;
  /** The threads of a process share their descriptors. */
  readonly fd: number;
  /** As in linkFile(): if blocks cannot be shared. */
  readonly linkFile: boolean;
}

const CHUNK_BYTES = 1 << 20;
let buffer: Buffer | undefined;

/** @throws SealrootError as the draft and linkFile() */
export function takeFile({ settings, fd, linkFile: mayLink }: TakeFileInput): StoredObject {
  buffer ??= Buffer.allocUnsafe(CHUNK_BYTES);
  return cloneFile(settings, fd, buffer) ?? linkOrCopy(settings, fd, mayLink, buffer);
}

function linkOrCopy(settings: ObjectSettings, fd: number, mayLink: boolean, chunk: Buffer): StoredObject {
  if (mayLink) {
    const hasher = new VerityHasher(settings.algorithm);
    readAll(fd, chunk, (piece) => hasher.update(piece));
    const { sizeBytes } = hasher;
    const objectId = hasher.hexDigest();
    const isThere = stateOfExistingObject(settings, objectId, sizeBytes) === "good";
    if (isThere || linkFile(settings, fd, objectId)) return { objectId, sizeBytes, isNew: !isThere };
  }
  const draft = new ObjectDraft(settings);
  try {
    readAll(fd, chunk, (piece) => draft.write(piece));
    return draft.finish();
  } finally {
    draft.abort();
  }
}

function readAll(fd: number, chunk: Buffer, take: (piece: Buffer) => void): void {
  for (let at = 0; ; ) {
    const length = readSync(fd, chunk, 0, chunk.length, at);
    if (length === 0) return;
    take(chunk.subarray(0, length));
    at += length;
  }
}
