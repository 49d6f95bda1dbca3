/** What the verbs share that collect a host's garbage. */

import { SealrootError } from "../../errors/index.ts";
import { type OpenedHost, openHost } from "../../host/index.ts";

/** To be changed, unless it is only looked at. @throws SealrootError `unsupported`; as openHost */
export function openHostToCollect(dryRun: boolean): OpenedHost {
  const opened = openHost({ write: !dryRun });
  if (opened !== undefined) return opened;
  throw new SealrootError("unsupported", "Cannot collect garbage: this system is not deployed via bootc");
}

/** Something stayed that is garbage, or may be; it was said what. */
export const INCOMPLETE_EXIT_CODE = 1;
