/** A worker that answers to the right jobs, and about fewer things than it was asked about. */
import { serveJobs } from "../../src/platform/index.ts";

const nothing = () => {};

serveJobs({
  "store-objects": () => ({ objectIds: [], newObjects: 0, storedBytes: 0 }),
  "begin-draft": nothing,
  "write-draft": nothing,
  "scan-files": () => ({
    facts: new BigInt64Array(0),
    contents: [],
    xattrs: new Map(),
    newObjects: 0,
    sharedObjects: 0,
  }),
  "check-objects": () => [],
  "digest-contents": () => [],
  "read-objects": () => ({ sizesBytes: [5000], lastEnds: true, good: [] }),
  "end-reading": nothing,
});
