/**
 * Protection against an older image: an image states its rollback index in a label, and a host remembers the highest one
 * that it has run well. The maker of an image raises the number when earlier images must not run any more, say because of
 * a hole that is signed and known. Ours; bootc has no such thing.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { asSealrootError, corrupt, hasErrno, SealrootError } from "../errors/index.ts";
import { syncDirectory, writeFileAtomically } from "../platform/index.ts";
import type { HostPlaces } from "./host-places.ts";

/** Of the image's configuration; a whole number from 0. An image without it has 0. */
export const ROLLBACK_INDEX_LABEL = "dev.sealroot.rollback-index";

/** As `config.Labels` of an image's configuration. */
export type ImageLabels = Readonly<Record<string, string>> | undefined;

/** Below the physical root, beside the records of deployments: all of them share it. */
const RECORD = "state/sealroot/rollback-index";
/** Exact in JSON and in a JavaScript number. */
const INDEX = /^(?:0|[1-9][0-9]{0,14})$/;

export interface RollbackIndexCheck {
  /** Of the image. */
  readonly index: number;
  /** Of the host; 0 when it has recorded none. */
  readonly recorded: number;
}

/**
 * Refuses an image that is older than one that this host has run well.
 *
 * @param options.force accept it all the same; what is recorded stays
 * @throws SealrootError `untrusted` for a lower index; `corrupt` for a label or a record that is not a number
 */
export function checkRollbackIndex(
  places: HostPlaces,
  labels: ImageLabels,
  { force }: { readonly force: boolean },
): RollbackIndexCheck {
  const index = indexOf(labels);
  const recorded = force ? (tryRecorded(places) ?? 0) : recordedIndex(places);
  if (index >= recorded || force) return { index, recorded };
  throw new SealrootError(
    "untrusted",
    `Cannot take the image: its rollback index is ${index}, and this host has run an image with ${recorded}`,
    {
      path: ROLLBACK_INDEX_LABEL,
      expected: `at least ${recorded}`,
      actual: `${index}`,
      hint: "take a newer image; --allow-downgrade takes this one all the same",
    },
  );
}

/**
 * Remembers the index of the image that runs, once its boot is known to be good: not before, or a bad update could not be
 * left for the image that worked. It is never lowered.
 *
 * @returns what is recorded now
 * @throws SealrootError `corrupt` for a label or a record that is not a number; `read-only`, `no-space`
 */
export function recordRollbackIndex(places: HostPlaces, labels: ImageLabels): number {
  const [index, recorded] = [indexOf(labels), recordedIndex(places)];
  if (index <= recorded) return recorded;
  const path = join(places.physicalRoot, RECORD);
  try {
    if (mkdirSync(dirname(path), { recursive: true }) !== undefined) syncDirectory(dirname(dirname(path)));
    writeFileAtomically(path, `${index}\n`);
  } catch (error) {
    throw asSealrootError(error, "Cannot record the rollback index", { path });
  }
  return index;
}

function indexOf(labels: ImageLabels): number {
  const text = labels?.[ROLLBACK_INDEX_LABEL] ?? "0";
  if (INDEX.test(text)) return Number(text);
  throw corrupt(`Cannot read the image's label ${ROLLBACK_INDEX_LABEL}: it is not a whole number`, {
    path: ROLLBACK_INDEX_LABEL,
    expected: "a number from 0 with up to 15 digits",
    actual: JSON.stringify(text),
  });
}

/** @throws SealrootError `corrupt`: a record that cannot be read may have been any number */
function recordedIndex({ physicalRoot }: HostPlaces): number {
  const path = join(physicalRoot, RECORD);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return 0;
    throw asSealrootError(error, "Cannot read the recorded rollback index", { path });
  }
  if (text.endsWith("\n") && INDEX.test(text.slice(0, -1))) return Number(text);
  throw corrupt("Cannot read the recorded rollback index: it is not a number", {
    path,
    actual: JSON.stringify(text.slice(0, 80)),
    hint: "write into the file the index of the image that runs",
  });
}

function tryRecorded(places: HostPlaces): number | undefined {
  try {
    return recordedIndex(places);
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
