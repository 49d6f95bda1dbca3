/** Memory given back before work that takes much of it. */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Below this much in use, what could be freed is not worth looking at all of it. */
const WORTHWHILE_BYTES = 256 << 20;

/** V8's own function, as its extensions/gc-extension.cc takes options. */
type Collector = (options: {
  readonly type: "major";
  readonly execution: "sync";
  readonly flavor: "regular" | "last-resort";
}) => void;

let collect: Collector | undefined;

/**
 * Frees what is not needed any more, before a step of work that takes hundreds of megabytes if the heap is large already.
 * V8 by itself would let a heap of 400 MB grow to 1 GB first: the leavings of the last step would stand beside those of
 * the next. It takes a second for a million files, and nothing for small trees.
 */
export function collectGarbage(): void {
  const { used_heap_size: heapBytes, external_memory: externalBytes } = getHeapStatistics();
  if (heapBytes + externalBytes < WORTHWHILE_BYTES) return;
  collect ??= exposedCollector();
  // As when memory runs out: otherwise V8 keeps the freed pages for later, 150 MB of them.
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
}

/** V8 shows it to contexts that are made when the flag is set; to others it stays hidden. */
function exposedCollector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
