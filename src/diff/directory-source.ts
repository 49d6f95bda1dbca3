/** A root file system as a directory. */
import { runStep } from "../events/index.ts";
import { scanDirectory } from "../repository/index.ts";
import type { DiffOptions } from "./options.ts";
import type { Source } from "./source.ts";

/** Its files are hashed when it is read. */
export function directorySource(given: string, { events }: DiffOptions): Source {
  return {
    ...{ given, kind: "directory", algorithm: undefined, names: [] },
    read: async (algorithm) => {
      const { root, readContent } = await runStep(events, "hash files", (reporter) =>
        scanDirectory(given, { algorithm, reporter }),
      );
      // What was unpacked from an image of its own stays what it is when it is composed again.
      return { root, composition: { stage: "raw" }, history: undefined, isUnpacked: true, readContent };
    },
  };
}
