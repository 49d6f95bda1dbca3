/** Removing a layout that was begun and will not be finished. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join as joinPath } from "node:path";
import { onProcessExit, removeTree } from "../../platform/index.ts";
import { readIndex } from "../documents.ts";
import { hasNoWriters, joinWriters, type LayoutWriter, tryLockIndex } from "./layout-lock.ts";

/** What OciLayout.create() and its users make in the directory. */
const LAYOUT_NAMES = ["blobs", "index.json", "oci-layout"];

/** What the directory was before. */
type Before = "absent" | "empty" | "something";

/** A layout being made; a signal removes it too. */
export interface BegunLayout {
  readonly wasAbsent: boolean;
  /** Call when the layout is made: from here on, others that give up leave it to us. */
  join(): void;
  /** The layout is complete. */
  keep(): void;
  /**
   * Removes what was not there before, unless somebody else is writing into it or it names an image by now: another
   * process may have added one. What was already a layout stays, with the blobs that were added: others may rely on
   * them.
   */
  takeBack(): void;
}

/** Call before anything is made in `directory`. */
export function beginLayout(directory: string): BegunLayout {
  const before = stateOf(directory);
  let writer: LayoutWriter | undefined;
  const takeBack = () => {
    forget();
    const isAlone = writer === undefined ? hasNoWriters(directory) : writer.leaveAlone();
    if (before === "something" || !isAlone) return;
    using lock = tryLockIndex(directory);
    if (lock === undefined || namesImage(directory)) return;
    if (before === "absent") removeTree(directory);
    else for (const name of LAYOUT_NAMES) rmSync(joinPath(directory, name), { recursive: true, force: true });
  };
  const forget = onProcessExit(takeBack);
  const keep = () => {
    writer?.leave();
    forget();
  };
  const join = () => {
    writer = joinWriters(directory);
  };
  return { wasAbsent: before === "absent", join, keep, takeBack };
}

function stateOf(directory: string): Before {
  if (!existsSync(directory)) return "absent";
  try {
    return readdirSync(directory).length === 0 ? "empty" : "something";
  } catch {
    // Not a directory, or not readable: making the layout will say so.
    return "something";
  }
}

function namesImage(directory: string): boolean {
  const path = joinPath(directory, "index.json");
  try {
    return readIndex(readFileSync(path), path).manifests.length > 0;
  } catch {
    return false;
  }
}
