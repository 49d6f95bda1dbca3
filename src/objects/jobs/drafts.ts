/**
 * Storing large objects whose bytes arrive in pieces. A draft's number is chosen by its sender, whose requests all go to
 * one worker.
 */
import { ObjectDraft, type StoredObject } from "../object-draft.ts";
import type { ObjectSettings } from "../object-settings.ts";

interface DraftNumber {
  readonly draft: number;
}

interface BeginDraftInput extends DraftNumber {
  readonly settings: ObjectSettings;
}

interface WriteDraftInput extends DraftNumber {
  readonly bytes: Uint8Array;
}

/** Those of this thread that are neither finished nor aborted. */
const drafts = new Map<number, ObjectDraft>();

/** @throws SealrootError when the file cannot be made */
export function beginDraft({ draft: number, settings }: BeginDraftInput): void {
  drafts.set(number, new ObjectDraft(settings));
}

/**
 * Appends bytes. Those for a failed draft are dropped: its sender has been told, but had already sent them.
 * @throws SealrootError `no-space` …; the draft is then closed and forgotten
 */
export function writeDraft({ draft: number, bytes }: WriteDraftInput): void {
  const draft = drafts.get(number);
  try {
    draft?.write(bytes);
  } catch (error) {
    drafts.delete(number);
    throw error;
  }
}

/** @throws SealrootError when the object cannot be stored; Error for a draft that failed before */
export function finishDraft({ draft: number }: DraftNumber): StoredObject {
  const draft = drafts.get(number);
  if (draft === undefined) throw new Error("Cannot store an object: its draft has failed");
  drafts.delete(number);
  return draft.finish();
}

/** Drops a draft, if it has not failed before. */
export function abortDraft({ draft: number }: DraftNumber): void {
  drafts.get(number)?.abort();
  drafts.delete(number);
}
