/**
 * The work that worker threads do for the repository: hashing and storing. The same function answers in a worker
 * (object-worker.ts) and in the main thread, where starting a worker would take longer than the work.
 */

import { type DigestContentsRequest, type DigestContentsResponse, digestContents } from "../content-digests.ts";
import { ObjectDraft, storeObject } from "../object-draft.ts";
import type { ObjectSettings } from "../object-settings.ts";
import { type CheckObjectsRequest, type CheckObjectsResponse, checkObjects } from "./check-objects.ts";
import { type ScanFilesRequest, type ScanFilesResponse, scanFiles } from "./scan-files.ts";
import { type TakeFileRequest, takeFile } from "./take-file.ts";
import { type VerifyPiecesRequest, type VerifyPiecesResponse, verifyPieces } from "./verify-pieces.ts";

/** Many small objects at once: their bytes one after the other, and their lengths. */
export interface StoreBatchRequest {
  readonly kind: "store";
  readonly settings: ObjectSettings;
  readonly bytes: Uint8Array;
  readonly sizesBytes: readonly number[];
}

/** A large object in pieces; `draft` is a number the sender chose, and all its requests go to one worker. */
export interface DraftRequest {
  readonly kind: "draft";
  readonly draft: number;
  readonly step:
    | { readonly type: "begin"; readonly settings: ObjectSettings }
    | { readonly type: "write"; readonly bytes: Uint8Array }
    | { readonly type: "finish" }
    | { readonly type: "abort" };
}

export type ObjectRequest =
  | StoreBatchRequest
  | DraftRequest
  | ScanFilesRequest
  | CheckObjectsRequest
  | DigestContentsRequest
  | TakeFileRequest
  | VerifyPiecesRequest;

export interface StoredResponse {
  readonly kind: "stored";
  readonly objectIds: readonly string[];
  readonly isNew: readonly boolean[];
}

export type ObjectResponse =
  | StoredResponse
  | ScanFilesResponse
  | CheckObjectsResponse
  | DigestContentsResponse
  | VerifyPiecesResponse
  | { readonly kind: "done" };

const drafts = new Map<number, ObjectDraft>();

/** Does one piece of work. */
export function handleObjectRequest(request: ObjectRequest): ObjectResponse {
  switch (request.kind) {
    case "store":
      return storeBatch(request);
    case "draft":
      return advanceDraft(request);
    case "scan-files":
      return scanFiles(request);
    case "check-objects":
      return checkObjects(request);
    case "digest-contents":
      return digestContents(request);
    case "take-file":
      return takeFile(request);
    case "verify-pieces":
      return verifyPieces(request);
  }
}

function storeBatch({ settings, bytes, sizesBytes }: StoreBatchRequest): StoredResponse {
  const objectIds: string[] = [];
  const isNew: boolean[] = [];
  let start = 0;
  for (const sizeBytes of sizesBytes) {
    const stored = storeObject(settings, bytes.subarray(start, start + sizeBytes));
    objectIds.push(stored.objectId);
    isNew.push(stored.isNew);
    start += sizeBytes;
  }
  return { kind: "stored", objectIds, isNew };
}

function advanceDraft({ draft: number, step }: DraftRequest): ObjectResponse {
  if (step.type === "begin") {
    drafts.set(number, new ObjectDraft(step.settings));
    return { kind: "done" };
  }
  const draft = drafts.get(number);
  // A draft that failed is closed and forgotten; its sender has been told and may still have writes under way.
  if (draft === undefined) return { kind: "done" };
  if (step.type === "write") {
    try {
      draft.write(step.bytes);
    } catch (error) {
      drafts.delete(number);
      throw error;
    }
    return { kind: "done" };
  }
  drafts.delete(number);
  if (step.type === "abort") {
    draft.abort();
    return { kind: "done" };
  }
  const stored = draft.finish();
  return { kind: "stored", objectIds: [stored.objectId], isNew: [stored.isNew] };
}
