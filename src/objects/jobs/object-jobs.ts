/**
 * The work that worker threads do for the repository: hashing and storing. Most of it is done there (object-worker.ts),
 * and some in the main thread, where starting a worker would take longer than the work.
 *
 * Nothing in this folder knows its callers: the other side (object-workers.ts and its users) imports these files, and
 * they import none of it.
 */
import type { Jobs } from "../../platform/index.ts";
import { checkObjects } from "./check-objects.ts";
import { digestContents } from "./digest-contents.ts";
import { abortDraft, beginDraft, finishDraft, writeDraft } from "./drafts.ts";
import { endReading, readObjects } from "./read-objects.ts";
import { scanFiles } from "./scan-files.ts";
import { storeObjects } from "./store-objects.ts";
import { takeFile } from "./take-file.ts";

export const objectJobs = {
  "store-objects": storeObjects,
  "begin-draft": beginDraft,
  "write-draft": writeDraft,
  "finish-draft": finishDraft,
  "abort-draft": abortDraft,
  "take-file": takeFile,
  "scan-files": scanFiles,
  "check-objects": checkObjects,
  "digest-contents": digestContents,
  "read-objects": readObjects,
  "end-reading": endReading,
} as const satisfies Jobs;

/** Which job has which input and output. */
export type ObjectJobs = typeof objectJobs;
